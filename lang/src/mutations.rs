//! Faults in functions, made by machine: each a text with one thing in it changed.

use crate::text::syntax::{
    Expr, ExprKind, Function, Initial, Span, Statement, StatementKind, Unary,
};

/// A text with one thing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// In which function.
    pub function: String,
    /// What is changed, in the text that it is changed in.
    pub span: Span,
    /// How.
    pub operator: Operator,
    /// The text with it.
    pub text: String,
}

/// What is done to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// A statement is left out.
    Delete,
    /// A statement and the next one take each other's place: so a critical section becomes wider or narrower, too.
    Swap,
    /// A condition is the opposite of what it was.
    Negate,
    /// What is asked of a release is always so.
    Always,
    /// What is asked of a release is never so.
    Never,
    /// An error that is returned is 0.
    ReturnsZero,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Delete, Self::Swap, Self::Negate, Self::Always, Self::Never, Self::ReturnsZero];

    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "left out",
            Self::Swap => "after the next",
            Self::Negate => "negated",
            Self::Always => "always",
            Self::Never => "never",
            Self::ReturnsZero => "returns 0",
        }
    }
}

/// Every fault of some functions, in the order in which they stand in their text.
pub fn mutations(text: &str, functions: &[Function]) -> Vec<Mutation> {
    let mut found = Found { text, function: String::new(), all: Vec::new() };
    for function in functions {
        found.function.clone_from(&function.name.text);
        found.block(&function.body);
    }
    found.all.sort_by_key(|mutation| (mutation.span.start, mutation.operator));
    found.all
}

struct Found<'t> {
    text: &'t str,
    function: String,
    all: Vec<Mutation>,
}

/// Whether a statement can be left out, and take another one's place.
fn moves(statement: &Statement) -> bool {
    use StatementKind::{Break, Case, Continue, Declare, Default, Label, Nothing};
    !matches!(
        statement.kind,
        Nothing | Declare(_) | Label(_) | Case(_) | Default | Break | Continue
    )
}

impl Found<'_> {
    fn add(&mut self, operator: Operator, span: Span, text: String) {
        self.all.push(Mutation { function: self.function.clone(), span, operator, text });
    }

    /// The text with something else there.
    fn with(&self, span: Span, other: &str) -> String {
        [&self.text[..span.start], other, &self.text[span.end..]].concat()
    }

    fn block(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement);
        }
        for pair in statements.windows(2) {
            let [one, next] = pair else { continue };
            if !moves(one) || !moves(next) {
                continue;
            }
            let between = &self.text[one.span.end..next.span.start];
            let of = |span: Span| &self.text[span.start..span.end];
            let both = Span { start: one.span.start, end: next.span.end };
            let other = [of(next.span), between, of(one.span)].concat();
            let text = self.with(both, &other);
            self.add(Operator::Swap, one.span, text);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        if moves(statement) && !matches!(statement.kind, StatementKind::Block(_)) {
            // `if (x) y;` needs a statement.
            let text = self.with(statement.span, ";");
            self.add(Operator::Delete, statement.span, text);
        }
        match &statement.kind {
            StatementKind::Block(all) | StatementKind::Switch(_, all) => self.block(all),
            StatementKind::If(condition, yes, no) => {
                self.condition(condition);
                self.statement(yes);
                if let Some(no) = no {
                    self.statement(no);
                }
            }
            StatementKind::While(condition, body) | StatementKind::DoWhile(body, condition) => {
                self.condition(condition);
                self.statement(body);
            }
            StatementKind::For(first, condition, step, body) => {
                if let Some(first) = first {
                    self.statement(first);
                }
                if let Some(condition) = condition {
                    self.condition(condition);
                }
                if let Some(step) = step {
                    self.expression(step);
                }
                self.statement(body);
            }
            StatementKind::Expression(of) => self.expression(of),
            StatementKind::Return(Some(of)) => {
                if matches!(of.kind, ExprKind::Unary(Unary::Minus, _)) {
                    let text = self.with(of.span, "0");
                    self.add(Operator::ReturnsZero, of.span, text);
                }
                self.expression(of);
            }
            StatementKind::Declare(all) => {
                for declared in all {
                    if let Some(Initial::Value(of)) = &declared.initial {
                        self.expression(of);
                    }
                }
            }
            _ => {}
        }
    }

    fn condition(&mut self, of: &Expr) {
        let Span { start, end } = of.span;
        let negated = format!("!({})", &self.text[start..end]);
        let text = self.with(of.span, &negated);
        self.add(Operator::Negate, of.span, text);
        self.expression(of);
    }

    fn expression(&mut self, of: &Expr) {
        match &of.kind {
            ExprKind::Call(name, arguments) if name.text == "since" && arguments.len() == 1 => {
                for (operator, value) in [(Operator::Always, "true"), (Operator::Never, "false")] {
                    let text = self.with(of.span, value);
                    self.add(operator, of.span, text);
                }
            }
            ExprKind::Call(_, arguments) => arguments.iter().for_each(|of| self.expression(of)),
            ExprKind::Unary(_, a) | ExprKind::Arrow(a, _) | ExprKind::Address(a) => {
                self.expression(a)
            }
            ExprKind::Binary(_, a, b) | ExprKind::Assign(_, a, b) | ExprKind::Comma(a, b) => {
                self.expression(a);
                self.expression(b);
            }
            ExprKind::Conditional(condition, then, other) => {
                self.condition(condition);
                if let Some(then) = then {
                    self.expression(then);
                }
                self.expression(other);
            }
            _ => {}
        }
    }
}
