//! Texts of people, cut where they are longer than an answer has room for; it always shows.

/// So much of each text is in a list.
const IN_LIST: usize = 400;

/// For one item of many; `rest` tells how to get the whole.
pub(crate) fn in_list(text: &mut String, rest: &str) {
    cut(text, IN_LIST, rest);
}

/// At most `most` bytes and a note; `rest` tells how to get the others.
pub(crate) fn cut(text: &mut String, most: usize, rest: &str) {
    if text.len() > most {
        let end = text.floor_char_boundary(most);
        let left = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… [{left} bytes more: {rest}]"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_shows() {
        let mut text = "ab€".to_owned();
        cut(&mut text, 5, "x");
        assert_eq!(text, "ab€");
        cut(&mut text, 4, "x");
        assert_eq!(text, "ab… [3 bytes more: x]");
    }
}
