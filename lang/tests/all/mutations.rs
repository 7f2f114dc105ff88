//! Faults that a machine puts into functions.

use kmodcheck_lang::text::functions;
use kmodcheck_lang::{Operator, mutations};

/// Each operator, on each thing that it is for, and no other thing of the text is touched.
#[test]
fn each_thing_is_changed_alone() {
    let text = "int f(void)\n{\n\tint ret = since(\"a\");\n\n\tlock();\n\tif (ret)\n\t\tlook();\n\tfor (;;)\n\t\twake();\n\
                again:\n\treturn ret ? -EBUSY : since(\"b\");\n}\n";
    let found = mutations(text, &functions("f", text).unwrap());
    let of = |operator: Operator| {
        found
            .iter()
            .filter(|m| m.operator == operator)
            .map(|m| &text[m.span.start..m.span.end])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(Operator::Delete),
        [
            "lock();",
            "if (ret)\n\t\tlook();",
            "look();",
            "for (;;)\n\t\twake();",
            "wake();",
            "return ret ? -EBUSY : since(\"b\");"
        ]
    );
    assert_eq!(of(Operator::Swap), ["lock();", "if (ret)\n\t\tlook();"]);
    assert_eq!(of(Operator::Negate), ["ret", "ret"]);
    assert_eq!(of(Operator::Always), ["since(\"a\")", "since(\"b\")"]);
    assert_eq!(of(Operator::Never), of(Operator::Always));
    assert!(of(Operator::ReturnsZero).is_empty(), "it is one of two values");
    let swapped = found.iter().find(|m| m.operator == Operator::Swap).unwrap();
    assert!(swapped.text.contains("\tif (ret)\n\t\tlook();\n\tlock();\n"), "{}", swapped.text);
    for mutation in &found {
        assert!(functions("f", &mutation.text).is_ok(), "{}", mutation.text);
        assert_ne!(mutation.text, text);
        assert!(mutation.text.starts_with(&text[..mutation.span.start]), "{}", mutation.text);
    }
    let zero = "int f(void)\n{\n\treturn -EBUSY;\n}\n";
    let found = mutations(zero, &functions("f", zero).unwrap());
    assert!(found.iter().any(|m| m.text.contains("return 0;")), "{found:?}");
}
