//! Locations and propositions, as herd writes them.

use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::syntax::{Binary, Expr, ExprKind, Location, Proposition, Unary};

/// How deep a proposition may nest.
const DEEPEST: usize = 64;

impl Parser {
    /// `x`, `0:r1`, `s.f`, `a[1]`, `[x]`
    pub fn location(&mut self) -> Parsed<Location> {
        if self.takes("[") {
            let place = self.place()?;
            self.needs("]")?;
            return Ok(Location { process: None, place });
        }
        let process = match (self.peek(), self.ahead(1)) {
            (Token::Number(number), Token::Sign(":")) => {
                let number = usize::try_from(*number).unwrap_or(usize::MAX);
                self.at += 2;
                Some(number)
            }
            _ => None,
        };
        Ok(Location { process, place: self.place()? })
    }

    /// A name, its fields and its elements.
    fn place(&mut self) -> Parsed<Expr> {
        let first = self.span();
        self.takes("*");
        let name = self.name("a location: a shared variable, or PROCESS:VARIABLE")?;
        let mut place = Expr { kind: ExprKind::Name(name.text), span: self.since(first) };
        let mut chain = 0;
        while chain < DEEPEST {
            chain += 1;
            let kind = if self.takes(".") {
                ExprKind::Field(Box::new(place), self.name("the name of a field")?)
            } else if self.takes("[") {
                let span = self.span();
                let Token::Number(number) = *self.peek() else { return self.wrong("a number") };
                self.at += 1;
                self.needs("]")?;
                let index = Expr { kind: ExprKind::Number(number), span };
                ExprKind::Index(Box::new(place), Box::new(index))
            } else {
                return Ok(place);
            };
            place = Expr { kind, span: self.since(first) };
        }
        self.wrong("fewer fields of fields")
    }

    /// `[x; 0:r1; ...]`
    pub fn locations(&mut self) -> Parsed<Vec<Location>> {
        self.needs("[")?;
        let mut all = Vec::new();
        while !self.takes("]") {
            all.push(self.location()?);
            if !self.takes(";") {
                self.needs("]")?;
                break;
            }
        }
        Ok(all)
    }

    pub fn proposition(&mut self) -> Parsed<Proposition> {
        self.either(0)
    }

    fn either(&mut self, deep: usize) -> Parsed<Proposition> {
        let mut left = self.both(deep)?;
        while self.takes("\\/") {
            left = Proposition::Or(Box::new(left), Box::new(self.both(deep)?));
        }
        Ok(left)
    }

    fn both(&mut self, deep: usize) -> Parsed<Proposition> {
        let mut left = self.atom(deep)?;
        while self.takes("/\\") {
            left = Proposition::And(Box::new(left), Box::new(self.atom(deep)?));
        }
        Ok(left)
    }

    fn atom(&mut self, deep: usize) -> Parsed<Proposition> {
        if deep > DEEPEST {
            return self.wrong("fewer propositions, one in the other");
        }
        if self.takes("~") || self.takes_name("not") {
            return Ok(Proposition::Not(Box::new(self.atom(deep + 1)?)));
        }
        if self.takes("(") {
            let inside = self.either(deep + 1)?;
            self.needs(")")?;
            return Ok(inside);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.takes_name(word) {
                return Ok(Proposition::Constant(value));
            }
        }
        let location = self.location()?;
        let comparisons = [
            ("=", Binary::Equal),
            ("==", Binary::Equal),
            ("!=", Binary::NotEqual),
            ("<", Binary::Less),
            ("<=", Binary::LessOrEqual),
            (">", Binary::Greater),
            (">=", Binary::GreaterOrEqual),
        ];
        let Some((_, how)) = comparisons.iter().find(|(sign, _)| self.is(sign)) else {
            return self.wrong("'=' and a value");
        };
        self.at += 1;
        Ok(Proposition::Compare(location, *how, self.value()?))
    }

    /// A number, or a name: a constant, or a variable whose address it is.
    fn value(&mut self) -> Parsed<Expr> {
        let first = self.span();
        if self.takes("-") {
            let Token::Number(number) = *self.peek() else { return self.wrong("a number") };
            let of = Expr { kind: ExprKind::Number(number), span: self.span() };
            self.at += 1;
            let kind = ExprKind::Unary(Unary::Minus, Box::new(of));
            return Ok(Expr { kind, span: self.since(first) });
        }
        if let Token::Number(number) = *self.peek() {
            self.at += 1;
            return Ok(Expr { kind: ExprKind::Number(number), span: first });
        }
        self.takes("&");
        self.place()
    }
}
