//! Types, declarations, expressions and statements: recursive descent, with one word looked ahead where C
//! needs it. How deep a text may nest is limited, so that no text overflows the stack.

use super::error::Wrong;
use super::lexer::Token;
use super::syntax::{
    Base, Binary, Declaration, Expr, ExprKind, Initial, Name, Span, Statement, StatementKind,
    TypeName, Unary,
};

/// How deep statements and expressions may nest.
const DEEPEST: usize = 64;

/// The words that are left.
pub(super) struct Parser {
    pub words: Vec<(Token, Span)>,
    pub at: usize,
    deep: usize,
}

/// Or what is wrong.
pub(super) type Parsed<T> = Result<T, Wrong>;

impl Parser {
    pub fn new(words: Vec<(Token, Span)>) -> Self {
        Self { words, at: 0, deep: 0 }
    }

    pub fn peek(&self) -> &Token {
        &self.words[self.at].0
    }

    /// The word after the next ones.
    pub fn ahead(&self, by: usize) -> &Token {
        &self.words[(self.at + by).min(self.words.len() - 1)].0
    }

    pub fn span(&self) -> Span {
        self.words[self.at].1
    }

    /// Where the last word ended.
    pub fn last(&self) -> Span {
        self.words[self.at.saturating_sub(1)].1
    }

    /// What has been read since a word.
    pub fn since(&self, first: Span) -> Span {
        first.to(self.last())
    }

    pub fn next(&mut self) -> Token {
        let word = self.peek().clone();
        self.at = (self.at + 1).min(self.words.len() - 1);
        word
    }

    pub fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(s) if *s == sign)
    }

    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(n) if n == name)
    }

    /// Takes a sign, if it comes next.
    pub fn takes(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.at += usize::from(is);
        is
    }

    pub fn takes_name(&mut self, name: &str) -> bool {
        let is = self.is_name(name);
        self.at += usize::from(is);
        is
    }

    pub fn wrong<T>(&self, expected: &str) -> Parsed<T> {
        let found = format!("found {}", self.peek().in_words());
        Err(Wrong::new(self.span(), found, format!("expected {expected}")))
    }

    pub fn needs(&mut self, sign: &str) -> Parsed<Span> {
        let span = self.span();
        if self.takes(sign) { Ok(span) } else { self.wrong(&format!("'{sign}'")) }
    }

    pub fn name(&mut self, what: &str) -> Parsed<Name> {
        let span = self.span();
        match self.peek() {
            Token::Name(text) if !KEYWORDS.contains(&text.as_str()) => {
                let text = text.clone();
                self.at += 1;
                Ok(Name { text, span })
            }
            _ => self.wrong(what),
        }
    }

    /// Goes one deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.deep >= DEEPEST {
            let found = format!("found {DEEPEST} levels, one in the other");
            return Err(Wrong::new(self.span(), found, "expected fewer"));
        }
        self.deep += 1;
        let parsed = parse(self);
        self.deep -= 1;
        parsed
    }

    /// Whether a type comes next.
    pub fn is_type(&self) -> bool {
        matches!(self.peek(), Token::Name(name) if TYPES.contains(&name.as_str()))
    }

    pub fn type_name(&mut self) -> Parsed<TypeName> {
        let first = self.span();
        let mut constant = false;
        while self.takes_name("static") || self.takes_name("const") || self.takes_name("volatile") {
            constant |= matches!(&self.words[self.at - 1].0, Token::Name(n) if n == "const");
        }
        let base = self.base()?;
        let mut pointers = 0;
        loop {
            if self.takes("*") {
                if pointers == 3 {
                    return self.wrong("at most three stars");
                }
                pointers += 1;
            } else if self.takes_name("const")
                || self.takes_name("volatile")
                || self.takes_name("__rcu")
            {
                constant |= pointers == 0
                    && matches!(&self.words[self.at - 1].0, Token::Name(n) if n == "const");
            } else {
                break;
            }
        }
        Ok(TypeName { base, pointers, constant, span: self.since(first) })
    }

    fn base(&mut self) -> Parsed<Base> {
        let Token::Name(word) = self.peek().clone() else { return self.wrong("a type") };
        if word == "unsigned" || word == "signed" || word == "long" || word == "short" {
            while ["unsigned", "signed", "long", "short", "int", "char"]
                .iter()
                .any(|w| self.takes_name(w))
            {}
            return self.range();
        }
        if !TYPES.contains(&word.as_str()) {
            return self.wrong("a type");
        }
        self.at += 1;
        Ok(match word.as_str() {
            "void" => Base::Void,
            "bool" | "_Bool" => Base::Bool,
            "int" | "intptr_t" | "size_t" | "async_cookie_t" | "u32" | "s32" | "u64" => {
                return self.range();
            }
            "u8" | "char" => Base::Bounded(0, 255),
            "s8" => Base::Bounded(-128, 127),
            "u16" => Base::Bounded(0, 65_535),
            "s16" => Base::Bounded(-32_768, 32_767),
            "atomic_t" | "atomic_long_t" => Base::Atomic,
            "spinlock_t" | "raw_spinlock_t" => Base::Spinlock,
            "wait_queue_head_t" => Base::WaitQueue,
            "enum" => Base::Enum(self.name("the name of an enum")?.text),
            "struct" => {
                let name = self.name("the name of a struct")?;
                match name.text.as_str() {
                    "mutex" => Base::Mutex,
                    "rw_semaphore" => Base::RwSemaphore,
                    "semaphore" => Base::Semaphore,
                    "completion" => Base::Completion,
                    "wait_queue_head" => Base::WaitQueue,
                    "work_struct" => Base::Work,
                    _ => Base::Struct(name.text),
                }
            }
            _ => {
                self.at -= 1;
                return self.wrong("a type");
            }
        })
    }

    /// `int`, with the range that may follow.
    fn range(&mut self) -> Parsed<Base> {
        if !self.takes_name("__range") {
            return Ok(Base::Int(None));
        }
        self.needs("(")?;
        let least = self.conditional()?;
        self.needs(",")?;
        let most = self.conditional()?;
        self.needs(")")?;
        Ok(Base::Int(Some((Box::new(least), Box::new(most)))))
    }

    /// What follows a type in a declaration, up to the semicolon.
    pub fn declarations(&mut self, of: &TypeName, first: Option<Name>) -> Parsed<Vec<Declaration>> {
        let mut declared = Vec::new();
        let mut name = first;
        loop {
            // int *x, y: the stars belong to x alone.
            let mut mine = of.clone();
            if !declared.is_empty() {
                mine.pointers = 0;
                while self.takes("*") {
                    mine.pointers = (mine.pointers + 1).min(3);
                }
            }
            let name = match name.take() {
                Some(name) => name,
                None => self.name("the name of a variable")?,
            };
            let elements = self.elements()?;
            let initial = if self.takes("=") { Some(self.initial()?) } else { None };
            declared.push(Declaration { of: mine, name, elements, initial });
            if !self.takes(",") {
                self.needs(";")?;
                return Ok(declared);
            }
        }
    }

    fn elements(&mut self) -> Parsed<Option<Expr>> {
        if !self.takes("[") {
            return Ok(None);
        }
        let elements = self.conditional()?;
        self.needs("]")?;
        Ok(Some(elements))
    }

    pub fn initial(&mut self) -> Parsed<Initial> {
        let first = self.span();
        if !self.takes("{") {
            return Ok(Initial::Value(self.conditional()?));
        }
        let mut all = Vec::new();
        while !self.takes("}") {
            all.push(self.nested(Self::initial)?);
            if !self.takes(",") {
                self.needs("}")?;
                break;
            }
        }
        Ok(Initial::List(all, self.since(first)))
    }

    /// What a function or a process takes, with its parentheses.
    pub fn parameters(&mut self) -> Parsed<Vec<Declaration>> {
        self.needs("(")?;
        let mut all = Vec::new();
        if self.takes_name("void") {
            if self.takes(")") {
                return Ok(all);
            }
            self.at -= 1;
        }
        if self.takes(")") {
            return Ok(all);
        }
        loop {
            let of = self.type_name()?;
            let name = self.name("the name of a parameter")?;
            all.push(Declaration { of, name, elements: None, initial: None });
            if !self.takes(",") {
                self.needs(")")?;
                return Ok(all);
            }
        }
    }

    pub fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.needs("{")?;
        let mut all = Vec::new();
        while !self.takes("}") {
            if *self.peek() == Token::End {
                return self.wrong("a statement or '}'");
            }
            all.push(self.statement()?);
        }
        Ok(all)
    }

    pub fn statement(&mut self) -> Parsed<Statement> {
        let first = self.span();
        let kind = self.nested(Self::statement_kind)?;
        Ok(Statement { kind, span: self.since(first) })
    }

    fn statement_kind(&mut self) -> Parsed<StatementKind> {
        use StatementKind as S;
        if self.takes(";") {
            return Ok(S::Nothing);
        }
        if self.is("{") {
            return Ok(S::Block(self.block()?));
        }
        if self.is_type() {
            let of = self.type_name()?;
            return Ok(S::Declare(self.declarations(&of, None)?));
        }
        let Token::Name(word) = self.peek().clone() else { return self.expression_statement() };
        if matches!(self.ahead(1), Token::Sign(":")) && word != "default" {
            let name = self.name("a label")?;
            self.at += 1;
            return Ok(S::Label(name));
        }
        if !KEYWORDS.contains(&word.as_str()) {
            return self.expression_statement();
        }
        self.at += 1;
        Ok(match word.as_str() {
            "if" => {
                let condition = self.in_parentheses()?;
                let then = Box::new(self.statement()?);
                let otherwise =
                    if self.takes_name("else") { Some(Box::new(self.statement()?)) } else { None };
                S::If(condition, then, otherwise)
            }
            "while" => S::While(self.in_parentheses()?, Box::new(self.statement()?)),
            "do" => {
                let body = Box::new(self.statement()?);
                if !self.takes_name("while") {
                    return self.wrong("'while' after the body of 'do'");
                }
                let condition = self.in_parentheses()?;
                self.needs(";")?;
                S::DoWhile(body, condition)
            }
            "for" => {
                self.needs("(")?;
                let begin = match self.takes(";") {
                    true => None,
                    false => Some(Box::new(self.simple_statement()?)),
                };
                let condition = if self.is(";") { None } else { Some(self.commas()?) };
                self.needs(";")?;
                let turn = if self.is(")") { None } else { Some(self.commas()?) };
                self.needs(")")?;
                S::For(begin, condition, turn, Box::new(self.statement()?))
            }
            "switch" => {
                let value = self.in_parentheses()?;
                S::Switch(value, self.block()?)
            }
            "case" => {
                let value = self.conditional()?;
                self.needs(":")?;
                S::Case(value)
            }
            "default" => {
                self.needs(":")?;
                S::Default
            }
            "break" => self.ended(S::Break)?,
            "continue" => self.ended(S::Continue)?,
            "goto" => {
                let label = self.name("a label")?;
                self.ended(S::Goto(label))?
            }
            "return" => {
                let value = if self.is(";") { None } else { Some(self.commas()?) };
                self.ended(S::Return(value))?
            }
            _ => {
                self.at -= 1;
                return self.wrong("a statement");
            }
        })
    }

    /// A declaration or an expression, with its semicolon.
    fn simple_statement(&mut self) -> Parsed<Statement> {
        let first = self.span();
        let kind = if self.is_type() {
            let of = self.type_name()?;
            StatementKind::Declare(self.declarations(&of, None)?)
        } else {
            self.expression_statement()?
        };
        Ok(Statement { kind, span: self.since(first) })
    }

    fn expression_statement(&mut self) -> Parsed<StatementKind> {
        let value = self.commas()?;
        self.ended(StatementKind::Expression(value))
    }

    fn ended(&mut self, kind: StatementKind) -> Parsed<StatementKind> {
        self.needs(";")?;
        Ok(kind)
    }

    fn in_parentheses(&mut self) -> Parsed<Expr> {
        self.needs("(")?;
        let inside = self.commas()?;
        self.needs(")")?;
        Ok(inside)
    }

    /// Expressions with commas between them, where a comma separates nothing else.
    fn commas(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let mut all = self.expression()?;
        while self.takes(",") {
            let next = self.expression()?;
            let kind = ExprKind::Comma(Box::new(all), Box::new(next));
            all = Expr { kind, span: self.since(first) };
        }
        Ok(all)
    }

    /// An expression, assignments included.
    pub fn expression(&mut self) -> Parsed<Expr> {
        self.nested(Self::assignment)
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let place = self.conditional()?;
        let operator = ASSIGNMENTS.iter().find(|(sign, _)| self.is(sign));
        let Some((_, operator)) = operator else { return Ok(place) };
        self.at += 1;
        let value = self.expression()?;
        let kind = ExprKind::Assign(*operator, Box::new(place), Box::new(value));
        Ok(Expr { kind, span: self.since(first) })
    }

    /// An expression that assigns nothing by itself.
    pub fn conditional(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let condition = self.nested(|p| p.binary(0))?;
        if !self.takes("?") {
            return Ok(condition);
        }
        let yes = if self.is(":") { None } else { Some(Box::new(self.commas()?)) };
        self.needs(":")?;
        let no = self.nested(Self::conditional)?;
        let kind = ExprKind::Conditional(Box::new(condition), yes, Box::new(no));
        Ok(Expr { kind, span: self.since(first) })
    }

    /// Operands with operators that bind at least so strongly.
    fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let first = self.span();
        let mut left = self.unary()?;
        while let Some((_, operator, strength)) =
            OPERATORS.iter().find(|(sign, _, strength)| self.is(sign) && *strength >= least)
        {
            self.at += 1;
            let right = self.nested(|p| p.binary(strength + 1))?;
            let kind = ExprKind::Binary(*operator, Box::new(left), Box::new(right));
            left = Expr { kind, span: self.since(first) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.nested(Self::unary_here)
    }

    fn unary_here(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let kind = if self.takes("-") {
            ExprKind::Unary(Unary::Minus, Box::new(self.unary()?))
        } else if self.takes("+") {
            return self.unary();
        } else if self.takes("!") {
            ExprKind::Unary(Unary::Not, Box::new(self.unary()?))
        } else if self.takes("~") {
            ExprKind::Unary(Unary::Complement, Box::new(self.unary()?))
        } else if self.takes("*") {
            ExprKind::Dereference(Box::new(self.unary()?))
        } else if self.takes("&") {
            ExprKind::Address(Box::new(self.unary()?))
        } else if self.is("++") || self.is("--") {
            let by = if self.next() == Token::Sign("++") { 1 } else { -1 };
            ExprKind::Increment { place: Box::new(self.unary()?), by, after: false }
        } else if self.is("(")
            && matches!(self.ahead(1), Token::Name(n) if TYPES.contains(&n.as_str()))
        {
            self.at += 1;
            let to = self.type_name()?;
            self.needs(")")?;
            ExprKind::Cast(to, Box::new(self.unary()?))
        } else {
            return self.postfix();
        };
        Ok(Expr { kind, span: self.since(first) })
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let mut of = self.primary()?;
        let mut chain = 0;
        loop {
            let kind = if self.takes("[") {
                let index = self.commas()?;
                self.needs("]")?;
                ExprKind::Index(Box::new(of), Box::new(index))
            } else if self.takes(".") {
                ExprKind::Field(Box::new(of), self.name("the name of a field")?)
            } else if self.takes("->") {
                ExprKind::Arrow(Box::new(of), self.name("the name of a field")?)
            } else if self.is("++") || self.is("--") {
                let by = if self.next() == Token::Sign("++") { 1 } else { -1 };
                ExprKind::Increment { place: Box::new(of), by, after: true }
            } else {
                return Ok(of);
            };
            of = Expr { kind, span: self.since(first) };
            chain += 1;
            if chain > DEEPEST {
                return self.wrong("fewer fields of fields");
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let first = self.span();
        let kind = match self.peek().clone() {
            Token::Number(number) => {
                self.at += 1;
                ExprKind::Number(number)
            }
            Token::Text(text) => {
                self.at += 1;
                ExprKind::Text(text)
            }
            Token::Name(name) if !KEYWORDS.contains(&name.as_str()) && !self.is_type() => {
                let name = Name { text: name, span: first };
                self.at += 1;
                if self.takes("(") { self.call(name)? } else { ExprKind::Name(name.text) }
            }
            Token::Sign("(") => return self.in_parentheses(),
            _ => return self.wrong("an expression"),
        };
        Ok(Expr { kind, span: self.since(first) })
    }

    fn call(&mut self, name: Name) -> Parsed<ExprKind> {
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.takes(",") {
                    self.needs(")")?;
                    break;
                }
            }
        }
        Ok(ExprKind::Call(name, arguments))
    }
}

/// Words that are no names.
const KEYWORDS: [&str; 14] = [
    "if", "else", "while", "do", "for", "switch", "case", "default", "break", "continue", "goto",
    "return", "sizeof", "typedef",
];

/// What a type begins with.
const TYPES: [&str; 29] = [
    "void",
    "bool",
    "_Bool",
    "int",
    "unsigned",
    "signed",
    "long",
    "short",
    "char",
    "intptr_t",
    "size_t",
    "u8",
    "s8",
    "u16",
    "s16",
    "atomic_t",
    "atomic_long_t",
    "spinlock_t",
    "raw_spinlock_t",
    "wait_queue_head_t",
    "async_cookie_t",
    "enum",
    "struct",
    "const",
    "volatile",
    "static",
    "u32",
    "s32",
    "u64",
];

/// Operators, and how strongly they bind.
const OPERATORS: [(&str, Binary, u8); 18] = [
    ("||", Binary::OrElse, 0),
    ("&&", Binary::AndThen, 1),
    ("|", Binary::Or, 2),
    ("^", Binary::Xor, 3),
    ("&", Binary::And, 4),
    ("==", Binary::Equal, 5),
    ("!=", Binary::NotEqual, 5),
    ("<", Binary::Less, 6),
    ("<=", Binary::LessOrEqual, 6),
    (">", Binary::Greater, 6),
    (">=", Binary::GreaterOrEqual, 6),
    ("<<", Binary::ShiftLeft, 7),
    (">>", Binary::ShiftRight, 7),
    ("+", Binary::Add, 8),
    ("-", Binary::Subtract, 8),
    ("*", Binary::Multiply, 9),
    ("/", Binary::Divide, 9),
    ("%", Binary::Remainder, 9),
];

/// Assignments, and the operator that they apply first.
const ASSIGNMENTS: [(&str, Option<Binary>); 11] = [
    ("=", None),
    ("+=", Some(Binary::Add)),
    ("-=", Some(Binary::Subtract)),
    ("*=", Some(Binary::Multiply)),
    ("/=", Some(Binary::Divide)),
    ("%=", Some(Binary::Remainder)),
    ("&=", Some(Binary::And)),
    ("|=", Some(Binary::Or)),
    ("^=", Some(Binary::Xor)),
    ("<<=", Some(Binary::ShiftLeft)),
    (">>=", Some(Binary::ShiftRight)),
];
