//! A deterministic automaton of an expression, made of the positions that can follow each other (Glushkov).
//! Knows no EBNF.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ebnf::Expression;

/// The state before the first symbol.
pub(super) const START: usize = 0;

/// How many conditions there are.
const CONDITIONS: usize = 3;

/// Which of the conditions hold. They may change from one symbol to the next.
pub(super) type Holds = [bool; CONDITIONS];

/// States, and how symbols lead from one to another.
pub(super) struct Automaton {
    transitions: HashMap<(usize, Holds), BTreeMap<String, usize>>,
}

impl Automaton {
    /// An automaton for the expression, whose terminals are `symbols` by their positions, where the conditions
    /// hold in one of these ways.
    pub(super) fn new(expression: &Expression, symbols: &[&str], ways: impl Iterator<Item = Holds>) -> Self {
        let follow: Vec<(Holds, Follow)> =
            ways.map(|holds| (holds, Follow::new(expression, symbols.len(), &holds))).collect();
        // A state is the set of positions that the last symbol may have had; before the first there is one
        // beyond all terminals.
        let begin = BTreeSet::from([symbols.len()]);
        let mut numbers = BTreeMap::from([(begin.clone(), START)]);
        let mut unvisited = vec![begin];
        let mut transitions = HashMap::new();
        while let Some(state) = unvisited.pop() {
            for (holds, follow) in &follow {
                let mut next: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
                for position in state.iter().flat_map(|position| &follow.after[*position]) {
                    next.entry(symbols[*position]).or_default().insert(*position);
                }
                let mut number = |set: BTreeSet<usize>| {
                    let count = numbers.len();
                    *numbers.entry(set).or_insert_with_key(|set| {
                        unvisited.push(set.clone());
                        count
                    })
                };
                let row = next.into_iter().map(|(symbol, set)| (symbol.to_owned(), number(set))).collect();
                transitions.insert((numbers[&state], *holds), row);
            }
        }
        Self { transitions }
    }

    /// The state after a symbol, if the symbol may stand there.
    pub(super) fn next(&self, state: usize, holds: Holds, symbol: &str) -> Option<usize> {
        self.transitions[&(state, holds)].get(symbol).copied()
    }

    /// The symbols that may stand there.
    pub(super) fn could_follow(&self, state: usize, holds: Holds) -> Vec<&str> {
        self.transitions[&(state, holds)].keys().map(String::as_str).collect()
    }
}

/// The positions that may stand directly after each position.
struct Follow {
    after: Vec<BTreeSet<usize>>,
}

/// A part of the expression as seen from outside.
struct Part {
    /// Whether the empty word is one of its words.
    empty: bool,
    /// Positions with which its words begin and end.
    first: BTreeSet<usize>,
    last: BTreeSet<usize>,
}

impl Follow {
    fn new(expression: &Expression, positions: usize, holds: &Holds) -> Self {
        let mut follow = Self { after: vec![BTreeSet::new(); positions + 1] };
        follow.after[positions] = follow.part(expression, holds).first;
        follow
    }

    fn part(&mut self, expression: &Expression, holds: &Holds) -> Part {
        let nothing = |empty| Part { empty, first: BTreeSet::new(), last: BTreeSet::new() };
        match expression {
            Expression::Terminal(position) => {
                let itself = BTreeSet::from([*position]);
                Part { empty: false, first: itself.clone(), last: itself }
            }
            Expression::Condition(condition) => nothing(holds[*condition]),
            Expression::Sequence(parts) => parts.iter().fold(nothing(true), |before, next| {
                let next = self.part(next, holds);
                self.connect(&before.last, &next.first);
                let first = if before.empty { &before.first | &next.first } else { before.first };
                let last = if next.empty { &before.last | &next.last } else { next.last };
                Part { empty: before.empty && next.empty, first, last }
            }),
            Expression::Choice(branches) => branches.iter().fold(nothing(false), |others, branch| {
                let branch = self.part(branch, holds);
                Part {
                    empty: others.empty || branch.empty,
                    first: &others.first | &branch.first,
                    last: &others.last | &branch.last,
                }
            }),
            Expression::Repetition(inside) => {
                let inside = self.part(inside, holds);
                self.connect(&inside.last, &inside.first);
                Part { empty: true, ..inside }
            }
            Expression::Option(inside) => Part { empty: true, ..self.part(inside, holds) },
        }
    }

    fn connect(&mut self, last: &BTreeSet<usize>, first: &BTreeSet<usize>) {
        for position in last {
            self.after[*position].extend(first);
        }
    }
}
