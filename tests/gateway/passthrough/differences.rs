//! What may differ between a translated backend and a passed-through one: the README's table, as rules that rewrite what
//! a client is told by the one into what it is told by the other. Knows no backend and no message by name.

const README: &str = include_str!("../../../README.md");
/// How the table's header begins.
const HEADER: &str = "| Moment |";
/// Behind a message: it is a beginning of what the other backend tells.
const BEGINNING: char = '…';

/// A message as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Its type, with what has to be the same of it in parentheses.
    pub(super) symbol: String,
    /// The rest that has to be the same; may be empty.
    pub(super) detail: String,
}

/// A message as a rule makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    told: Told,
    is_beginning: bool,
}

impl Expected {
    fn fits(&self, told: &Told) -> bool {
        let (detail, expected) = (told.detail.as_str(), self.told.detail.as_str());
        let is_same = if self.is_beginning {
            !expected.is_empty() && detail.len() > expected.len() && detail.starts_with(expected)
        } else {
            detail == expected
        };
        told.symbol == self.told.symbol && is_same
    }
}

/// A row of the table.
#[derive(Debug)]
struct Rule<'t> {
    moment: &'t str,
    translated: Vec<&'t str>,
    passed_through: Vec<&'t str>,
    is_used: bool,
}

impl<'t> Rule<'t> {
    fn of_row(row: &'t str) -> Self {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let moment = cells.next().unwrap_or_default();
        let mut symbols = || {
            let cell = cells.next().unwrap_or_else(|| panic!("too few cells: {row}"));
            let symbols: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!symbols.is_empty(), "no message in {cell:?}");
            symbols
        };
        let (translated, passed_through) = (symbols(), symbols());
        Self { moment, translated, passed_through, is_used: false }
    }

    fn applies(&self, told: &[Told]) -> bool {
        told.len() >= self.translated.len()
            && self.translated.iter().zip(told).all(|(symbol, told)| bare(symbol) == told.symbol)
    }

    /// What becomes of the messages that this rule is for.
    fn rewrite(&self, told: &[Told]) -> Vec<Expected> {
        let mut given: Vec<_> = self.translated.iter().zip(told).map(Some).collect();
        let mut expected = Vec::new();
        for symbol in &self.passed_through {
            let is_one = |exactly: bool, of: &Option<(&&str, &Told)>| {
                of.is_some_and(|(_, told)| {
                    told.symbol == *symbol || !exactly && kind(&told.symbol) == kind(symbol)
                })
            };
            let found =
                [true, false].into_iter().find_map(|exactly| given.iter().position(|of| is_one(exactly, of)));
            let origin = found.and_then(|at| given[at].take());
            let detail = origin.map_or_else(String::new, |(_, told)| told.detail.clone());
            let is_beginning = origin.is_some_and(|(written, _)| written.ends_with(BEGINNING));
            expected.push(Expected { told: Told { symbol: (*symbol).to_owned(), detail }, is_beginning });
        }
        expected
    }
}

fn bare(symbol: &str) -> &str {
    symbol.trim_end_matches(BEGINNING)
}

fn kind(symbol: &str) -> &str {
    symbol.split('(').next().unwrap_or_default()
}

/// All that may differ, and what of it has been seen.
#[derive(Debug)]
pub(super) struct Differences<'t> {
    rules: Vec<Rule<'t>>,
}

impl Differences<'static> {
    /// The README's.
    pub(super) fn of_readme() -> Self {
        Self::of_text(README)
    }
}

impl<'t> Differences<'t> {
    fn of_text(text: &'t str) -> Self {
        let rows = text.lines().skip_while(|line| !line.starts_with(HEADER)).skip(2);
        let rules: Vec<_> = rows.take_while(|line| line.starts_with('|')).map(Rule::of_row).collect();
        assert!(!rules.is_empty(), "no table of differences");
        Self { rules }
    }

    /// Where the longest of the rows that are for a place applies, everywhere else nothing differs.
    ///
    /// # Errors
    ///
    /// With the first message that the passed-through backend tells otherwise.
    pub(super) fn explain(&mut self, translated: &[Told], passed_through: &[Told]) -> Result<(), String> {
        let mut expected = Vec::new();
        let mut rest = translated;
        while let [first, after @ ..] = rest {
            let fitting = self.rules.iter_mut().filter(|rule| rule.applies(rest));
            if let Some(rule) = fitting.max_by_key(|rule| rule.translated.len()) {
                rule.is_used = true;
                expected.extend(rule.rewrite(rest));
                rest = &rest[rule.translated.len()..];
            } else {
                expected.push(Expected { told: first.clone(), is_beginning: false });
                rest = after;
            }
        }
        let differs = |at: &usize| match (expected.get(*at), passed_through.get(*at)) {
            (Some(expected), Some(told)) => !expected.fits(told),
            (expected, told) => expected.is_some() || told.is_some(),
        };
        match (0..expected.len().max(passed_through.len())).find(differs) {
            None => Ok(()),
            Some(at) => Err(format!(
                "message {at}: the table makes {:?} of it, it is {:?}\ntranslated: {translated:#?}\npassed through: \
                 {passed_through:#?}",
                expected.get(at),
                passed_through.get(at)
            )),
        }
    }

    /// The moments of the rows that were never seen.
    pub(super) fn unseen(&self) -> Vec<&'t str> {
        self.rules.iter().filter(|rule| !rule.is_used).map(|rule| rule.moment).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "text\n\n| Moment | T | P |\n|---|---|---|\n| an answer | `Started`, `audio`, `Text(a)` | `Text(a)`, \
                         `audio` |\n| a cut | `Started`, `audio`, `Text(a)…`, `Cut` | `Text(a)`, `audio`, `Cut` |\n\
                         | a call | `Call(false)` | `New`, `Call(true)` |\n\n| Moment | X |\n";

    fn told(list: &[(&str, &str)]) -> Vec<Told> {
        list.iter()
            .map(|(symbol, detail)| Told { symbol: (*symbol).to_owned(), detail: (*detail).to_owned() })
            .collect()
    }

    /// Whether the table explains it, and what it left over.
    fn explained(translated: &[(&str, &str)], passed_through: &[(&str, &str)]) -> (bool, Vec<&'static str>) {
        let mut differences = Differences::of_text(TABLE);
        let outcome = differences.explain(&told(translated), &told(passed_through));
        (outcome.is_ok(), differences.unseen())
    }

    const ANSWER: [(&str, &str); 4] = [("Hi", ""), ("Started", ""), ("audio", ""), ("Text(a)", "yes")];
    const CUT: [(&str, &str); 4] = [("Started", ""), ("audio", ""), ("Text(a)", "ye"), ("Cut", "")];

    #[test]
    fn what_a_row_says_is_explained_and_nothing_else() {
        let all = vec!["an answer", "a cut", "a call"];
        assert_eq!(explained(&[("Hi", "1")], &[("Hi", "1")]), (true, all.clone()));
        for (other, why) in [
            (&[("Hi", "2")][..], "another detail"),
            (&[("Ho", "1")], "another message"),
            (&[], "one less"),
            (&[("Hi", "1"), ("Hi", "1")], "one more"),
        ] {
            assert_eq!(explained(&[("Hi", "1")], other), (false, all.clone()), "{why}");
        }
        let unseen = vec!["a cut", "a call"];
        let passed = [("Hi", ""), ("Text(a)", "yes"), ("audio", "")];
        assert_eq!(explained(&ANSWER, &passed), (true, unseen.clone()));
        assert_eq!(explained(&ANSWER, &ANSWER), (false, unseen.clone()), "the row does not hold");
        let longer = [("Hi", ""), ("Text(a)", "yes, sir"), ("audio", "")];
        assert_eq!(explained(&ANSWER, &longer), (false, unseen), "another text");
    }

    #[test]
    fn the_longest_row_counts_and_a_beginning_is_one() {
        for (text, is_explained) in [("yes", true), ("ye", false), ("no", false)] {
            let passed = [("Text(a)", text), ("audio", ""), ("Cut", "")];
            assert_eq!(explained(&CUT, &passed), (is_explained, vec!["an answer", "a call"]), "{text}");
        }
        let mut silent = CUT;
        silent[2].1 = "";
        let passed = [("Text(a)", "yes"), ("audio", ""), ("Cut", "")];
        assert!(!explained(&silent, &passed).0, "nothing is no beginning");
    }

    #[test]
    fn a_message_that_changes_its_parentheses_keeps_its_detail() {
        for (detail, is_explained) in [("f", true), ("g", false)] {
            let outcome = explained(&[("Call(false)", "f")], &[("New", ""), ("Call(true)", detail)]);
            assert_eq!(outcome, (is_explained, vec!["an answer", "a cut"]));
        }
        assert!(!explained(&[("Call(false)", "f")], &[("New", "x"), ("Call(true)", "f")]).0);
    }
}
