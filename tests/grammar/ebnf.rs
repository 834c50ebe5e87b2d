//! A regular grammar in EBNF (ISO/IEC 14977) as one expression: the first rule, with every other rule in the
//! place of its name. Knows nothing of what the words mean. Panics where the text is no such grammar.

use std::collections::HashMap;

/// What a word may look like.
#[derive(Debug)]
pub(super) enum Expression {
    /// The terminal at this position; every place in the expression has a number of its own.
    Terminal(usize),
    /// `? name ?`: nothing at all where the condition with this index holds, else impossible.
    Condition(usize),
    /// `a, b`
    Sequence(Vec<Self>),
    /// `a | b`
    Choice(Vec<Self>),
    /// `{ a }`
    Repetition(Box<Self>),
    /// `[ a ]`
    Option(Box<Self>),
}

impl Expression {
    /// The grammar's expression, and the terminal of each position.
    pub(super) fn parse<'a>(text: &'a str, conditions: &[&str]) -> (Self, Vec<&'a str>) {
        let mut rules = HashMap::new();
        let mut first = None;
        for rule in tokens(text).split(|token| *token == Token::Sign(';')).filter(|rule| !rule.is_empty()) {
            let [Token::Name(name), Token::Sign('='), body @ ..] = rule else { panic!("no rule: {rule:?}") };
            first.get_or_insert(*name);
            assert!(rules.insert(*name, body.to_vec()).is_none(), "two rules for {name}");
        }
        let mut parser = Parser { rules: &rules, conditions, symbols: Vec::new(), within: Vec::new() };
        let expression = parser.rule(first.expect("there is a rule"));
        (expression, parser.symbols)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Terminal(&'a str),
    Condition(&'a str),
    Sign(char),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(sign) = rest.chars().next() {
        tokens.push(match sign {
            '"' | '?' => {
                let (inside, after) = rest[1..].split_once(sign).expect("what is opened is closed");
                rest = after;
                if sign == '"' { Token::Terminal(inside) } else { Token::Condition(inside.trim()) }
            }
            '=' | ',' | '|' | ';' | '{' | '}' | '[' | ']' | '(' | ')' => {
                rest = &rest[1..];
                Token::Sign(sign)
            }
            _ => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                assert!(end > 0, "{sign:?} has no meaning here");
                let (name, after) = rest.split_at(end);
                rest = after;
                Token::Name(name)
            }
        });
        rest = rest.trim_start();
    }
    tokens
}

struct Parser<'r, 'a> {
    rules: &'r HashMap<&'a str, Vec<Token<'a>>>,
    conditions: &'r [&'r str],
    symbols: Vec<&'a str>,
    /// The rules that stand around the present one.
    within: Vec<&'a str>,
}

impl<'a> Parser<'_, 'a> {
    fn rule(&mut self, name: &'a str) -> Expression {
        assert!(!self.within.contains(&name), "{name} contains itself, so the grammar is not regular");
        let body = self.rules.get(name).unwrap_or_else(|| panic!("no rule is called {name}"));
        self.within.push(name);
        let mut rest = &body[..];
        let expression = self.choice(&mut rest);
        assert!(rest.is_empty(), "{name} ends before {rest:?}");
        self.within.pop();
        expression
    }

    fn choice(&mut self, rest: &mut &[Token<'a>]) -> Expression {
        let mut branches = vec![self.sequence(rest)];
        while skip(rest, '|') {
            branches.push(self.sequence(rest));
        }
        Expression::Choice(branches)
    }

    fn sequence(&mut self, rest: &mut &[Token<'a>]) -> Expression {
        let mut parts = vec![self.factor(rest)];
        while skip(rest, ',') {
            parts.push(self.factor(rest));
        }
        // Elsewhere a word could begin that cannot end.
        let late = parts.iter().skip(1).any(|part| matches!(part, Expression::Condition(_)));
        assert!(!late, "a condition stands at the beginning of its alternative");
        Expression::Sequence(parts)
    }

    fn factor(&mut self, rest: &mut &[Token<'a>]) -> Expression {
        let (token, after) = rest.split_first().expect("something follows");
        *rest = after;
        match *token {
            Token::Terminal(symbol) => {
                self.symbols.push(symbol);
                Expression::Terminal(self.symbols.len() - 1)
            }
            Token::Condition(name) => {
                let known = self.conditions.iter().position(|condition| *condition == name);
                Expression::Condition(known.unwrap_or_else(|| panic!("no condition is called {name}")))
            }
            Token::Name(name) => self.rule(name),
            Token::Sign('{') => Expression::Repetition(Box::new(self.within(rest, '}'))),
            Token::Sign('[') => Expression::Option(Box::new(self.within(rest, ']'))),
            Token::Sign('(') => self.within(rest, ')'),
            Token::Sign(sign) => panic!("{sign:?} where something should stand"),
        }
    }

    fn within(&mut self, rest: &mut &[Token<'a>], end: char) -> Expression {
        let expression = self.choice(rest);
        assert!(skip(rest, end), "{end:?} is missing before {rest:?}");
        expression
    }
}

fn skip(rest: &mut &[Token<'_>], sign: char) -> bool {
    let found = rest.first() == Some(&Token::Sign(sign));
    if found {
        *rest = &rest[1..];
    }
    found
}
