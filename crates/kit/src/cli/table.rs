//! Columns for people.

use std::fmt::Write;

/// Beyond this a cell does not widen its column.
const WIDEST: usize = 40;

/// Lays rows out in columns, each row indented by two and its last cell not padded.
pub(super) fn table<const N: usize>(rows: &[[&str; N]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(&widths) {
            let _infallible = write!(line, "{cell:<width$}  ");
        }
        let _infallible = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_does_not_push_the_others() {
        let long = "x".repeat(50);
        let text = table(&[["a", "b"], ["ccc", ""], [&long, "d"]]);
        assert_eq!(text, format!("  a    b\n  ccc\n  {long}  d\n"));
    }
}
