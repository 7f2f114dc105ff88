//! Tables as they are printed and pasted: Markdown, as wide as they are.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with this header.
pub(crate) fn table(header: impl IntoIterator<Item = impl Into<comfy_table::Cell>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<comfy_table::Cell>>());
    table
}
