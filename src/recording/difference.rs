//! Where a replay differs from its recording, for whoever looks for the reason. Knows no gate.

use std::fmt;

use super::{Difference, End, Ladder, Outcome, Summary, shown};

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, before, line, input, recorded, replayed } = self;
        let micros = step.at.as_micros();
        let (ms, tenths) = (micros / 1_000, micros % 1_000 / 100);
        writeln!(
            f,
            "step {} (line {line}) differs, {ms}.{tenths} ms after the beginning, phase {:?}",
            step.n, step.before
        )?;
        if !before.is_empty() {
            writeln!(f, "\nbefore it:\n")?;
            let mut ladder = Ladder::default();
            f.write_str(&Ladder::heading())?;
            before.iter().try_for_each(|step| f.write_str(&ladder.step(step)))?;
            f.write_str(&ladder.end())?;
        }
        writeln!(f, "\nthe gate was given\n    {}", shown(input, LONGEST))?;
        writeln!(f, "and answered, as recorded (-) and as replayed (+)")?;
        for (mark, effect) in compared(recorded, replayed) {
            writeln!(f, "  {mark} {}", shown(effect, LONGEST))?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, lasted, end, torn, phase, cause } = self;
        write!(f, "same outcome: {steps} steps, {:.3} s, phase {phase:?}", lasted.as_secs_f64())?;
        if let Some(cause) = cause {
            write!(f, ", cause {cause}")?;
        }
        match (end, torn) {
            (Some(End::Finished), _) => Ok(()),
            (Some(End::Cap), _) => write!(f, "; the rest was not recorded: the file had its largest size"),
            (Some(End::Dropped), _) => write!(f, "; the rest was not recorded: it came too fast"),
            (Some(End::Failed), _) => write!(f, "; the rest was not recorded: it could not be written"),
            (None, None) => write!(f, "; the recording has no end"),
            (None, Some(line)) => write!(f, "; the recording breaks off in line {line}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(summary) => writeln!(f, "{summary}"),
            Self::Differs(difference) => write!(f, "{difference}"),
        }
    }
}

/// Both lists as one: ` ` before what both have, `-` before what only the first, `+` before what only the second has.
fn compared<'a>(recorded: &'a [String], replayed: &'a [String]) -> Vec<(char, &'a str)> {
    let (old, new) = (recorded.len(), replayed.len());
    if old.saturating_mul(new) > MOST_COMPARED {
        let all = |mark, list: &'a [String]| list.iter().map(move |effect| (mark, &**effect));
        return all('-', recorded).chain(all('+', replayed)).collect();
    }
    // How many both have from here on, in this order: the longest common subsequence.
    let mut common = vec![vec![0_usize; new + 1]; old + 1];
    for i in (0..old).rev() {
        for j in (0..new).rev() {
            common[i][j] = match recorded[i] == replayed[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old || j < new {
        if i < old && j < new && recorded[i] == replayed[j] {
            lines.push((' ', &*recorded[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old && (j == new || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', &*recorded[i]));
            i += 1;
        } else {
            lines.push(('+', &*replayed[j]));
            j += 1;
        }
    }
    lines
}

/// Characters of a line.
const LONGEST: usize = 1_000;
/// Pairs of effects.
const MOST_COMPARED: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_have_stands_there_once() {
        let list = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (recorded, replayed, expected) in [
            ("a b c", "a b c", " a b c"),
            ("a b c", "a c", " a-b c"),
            ("a c", "a b c", " a+b c"),
            ("a b", "b a", "-a b+a"),
            ("", "a", "+a"),
            ("a", "", "-a"),
            ("", "", ""),
        ] {
            let (recorded, replayed) = (list(recorded), list(replayed));
            let lines = compared(&recorded, &replayed).into_iter();
            let lines: String = lines.map(|(mark, effect)| format!("{mark}{effect}")).collect();
            assert_eq!(lines, expected, "{recorded:?} {replayed:?}");
        }
    }
}
