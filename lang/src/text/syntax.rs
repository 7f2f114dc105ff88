//! The syntax tree: what was written, with the place of each part, and nothing about what it means.

/// Bytes of the text, from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// From the beginning of one to the end of another.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end.max(self.start) }
    }
}

/// A name, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// What a type name begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// `void`
    Void,
    /// `bool`
    Bool,
    /// `int` and its kin, in which the range is found, or is what the type or `__range(LEAST, MOST)` says.
    Int(Option<(Box<Expr>, Box<Expr>)>),
    /// `u8`, `s8` and so on: a range by name.
    Bounded(i64, i64),
    /// `enum NAME`
    Enum(String),
    /// `struct NAME`
    Struct(String),
    /// `atomic_t` and its kin
    Atomic,
    /// `struct mutex`
    Mutex,
    /// `spinlock_t`, `raw_spinlock_t`
    Spinlock,
    /// `struct rw_semaphore`
    RwSemaphore,
    /// `struct semaphore`
    Semaphore,
    /// `struct completion`
    Completion,
    /// `wait_queue_head_t`
    WaitQueue,
    /// `struct work_struct`
    Work,
}

/// A type as it is written before a declared name: the stars belong to the type here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// What it begins with.
    pub base: Base,
    /// How many stars.
    pub pointers: u8,
    /// Whether it is `const`.
    pub constant: bool,
    /// Where.
    pub span: Span,
}

/// One declared name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its type, but for what stands in brackets.
    pub of: TypeName,
    /// The name.
    pub name: Name,
    /// How many elements, of an array.
    pub elements: Option<Expr>,
    /// What it begins with.
    pub initial: Option<Initial>,
}

/// What a declared name begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initial {
    /// `= EXPRESSION`
    Value(Expr),
    /// `= { ... }`
    List(Vec<Initial>, Span),
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-`
    Minus,
    /// `!`
    Not,
    /// `~`
    Complement,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is what it is called")]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `&&`: the right operand is not looked at if the left one is 0.
    AndThen,
    /// `||`: the right operand is looked at only if the left one is 0.
    OrElse,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A number, or a character's.
    Number(i64),
    /// A name.
    Name(String),
    /// A text in quotes.
    Text(String),
    /// An operator and its operand.
    Unary(Unary, Box<Expr>),
    /// Operands and the operator between them.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `a ? b : c`; without b, as gcc and the kernel have it (`a ?: c`), it is a unless that is 0, looked at once.
    Conditional(Box<Expr>, Option<Box<Expr>>, Box<Expr>),
    /// `a, b`: first a, whose value nobody wants, and then b.
    Comma(Box<Expr>, Box<Expr>),
    /// `a = b`, or with an operator `a += b`.
    Assign(Option<Binary>, Box<Expr>, Box<Expr>),
    /// `++a`, `--a`; and `a++`, `a--`, whose value is the old one (`after`).
    Increment {
        /// What is changed.
        place: Box<Expr>,
        /// By 1 or -1.
        by: i64,
        /// Whether the operator stands after it.
        after: bool,
    },
    /// A call.
    Call(Name, Vec<Expr>),
    /// `a[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `a.b`
    Field(Box<Expr>, Name),
    /// `a->b`
    Arrow(Box<Expr>, Name),
    /// `*a`
    Dereference(Box<Expr>),
    /// `&a`
    Address(Box<Expr>),
    /// `(type)a`
    Cast(TypeName, Box<Expr>),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// `;`
    Nothing,
    /// `{ ... }`
    Block(Vec<Statement>),
    /// Declared names.
    Declare(Vec<Declaration>),
    /// An expression whose value nobody wants.
    Expression(Expr),
    /// `if`
    If(Expr, Box<Statement>, Option<Box<Statement>>),
    /// `while`
    While(Expr, Box<Statement>),
    /// `do ... while`
    DoWhile(Box<Statement>, Expr),
    /// `for`; without a condition it goes on for ever.
    For(Option<Box<Statement>>, Option<Expr>, Option<Expr>, Box<Statement>),
    /// `switch`
    Switch(Expr, Vec<Statement>),
    /// `case VALUE:`, directly in a `switch`
    Case(Expr),
    /// `default:`, likewise
    Default,
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `goto`
    Goto(Name),
    /// `NAME:`
    Label(Name),
    /// `return`
    Return(Option<Expr>),
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// What it returns.
    pub returns: TypeName,
    /// Its name.
    pub name: Name,
    /// What it takes.
    pub parameters: Vec<Declaration>,
    /// What it does.
    pub body: Vec<Statement>,
    /// All of it.
    pub span: Span,
}

/// Processes that are written once: `P0(...)`, or `P0 ... P3(...)` for four of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The number of the first.
    pub first: usize,
    /// The number of the last.
    pub last: usize,
    /// Whether it comes to a number, as a function that returns `int`.
    pub returns: bool,
    /// The addresses of shared variables that it names.
    pub parameters: Vec<Declaration>,
    /// What it does.
    pub body: Vec<Statement>,
    /// Its head.
    pub span: Span,
}

/// A `struct`, or an `enum` with the value of each name, if it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defined {
    /// `struct NAME { ... };`
    Struct(Name, Vec<Declaration>),
    /// `enum NAME { ... };`
    Enum(Option<Name>, Vec<(Name, Option<Expr>)>),
}

/// What stands between the initial values and the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A type.
    Type(Defined),
    /// Shared variables.
    Shared(Vec<Declaration>),
    /// `DEFINE_MUTEX(m);` and its kin.
    Macro(Name, Vec<Expr>),
    /// A function.
    Function(Function),
    /// Processes.
    Process(Process),
}

/// One of the initial values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A declaration as in C.
    Declared(Declaration),
    /// `x = 1;`
    Shared(Name, Expr),
    /// `0:r1 = 1;`
    Local(usize, Name, Expr),
}

/// A place whose value a condition is about, or that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The process, of a local variable.
    pub process: Option<usize>,
    /// A name, with fields and numbers in brackets.
    pub place: Expr,
}

/// A proposition about final states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposition {
    /// `true` or `false`
    Constant(bool),
    /// A location, how it is compared, and with what.
    Compare(Location, Binary, Expr),
    /// `~`
    Not(Box<Proposition>),
    /// `/\`
    And(Box<Proposition>, Box<Proposition>),
    /// `\/`
    Or(Box<Proposition>, Box<Proposition>),
}

/// What is asked about final states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `exists`: some are so.
    Exists,
    /// `~exists`: none is so.
    NotExists,
    /// `forall`: all are so.
    Forall,
}

/// What the file itself says of what comes out, in a comment: `Result: Never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Some final states are so and others are not.
    Sometimes,
    /// All are so.
    Always,
    /// None is so.
    Never,
    /// No run comes to an end.
    Deadlock,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// What it says comes out.
    pub stated: Option<Stated>,
    /// Initial values.
    pub initial: Vec<Entry>,
    /// Types, shared variables, functions, processes.
    pub items: Vec<Item>,
    /// What is shown of final states besides what the condition is about.
    pub locations: Vec<Location>,
    /// Which final states count.
    pub filter: Option<Proposition>,
    /// What is asked of them.
    pub condition: Option<(Quantifier, Proposition)>,
}
