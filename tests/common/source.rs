//! Just enough of Rust's grammar to check source files without a parser.
//!
//! Runs on: the test runner.
//! Owns: what is code and what is comment, text or test in a file; where functions begin and end.
//! Never: fails on a file: what it does not understand it leaves as it is.

/// The file with the contents of comments, strings and characters blanked out; lines and columns stay.
pub fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match literal_end(&chars, at) {
            Some(end) => end,
            None => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        for &c in &chars[at..end] {
            out.push(if c == '\n' { '\n' } else { ' ' });
        }
        at = end;
    }
    out
}

/// Where the comment, string or character that begins at `at` ends; `None` when none begins there.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    match (chars[at], next) {
        ('/', Some('/')) => Some(position(chars, at, |c| c == '\n')),
        ('/', Some('*')) => Some(block_comment_end(chars, at)),
        ('"', _) => Some(string_end(chars, at + 1)),
        ('r', Some('"' | '#')) if !is_word_before(chars, at) => raw_string_end(chars, at + 1),
        ('b', Some('r')) if !is_word_before(chars, at) => raw_string_end(chars, at + 2),
        ('\'', _) => character_end(chars, at),
        _ => None,
    }
}

fn position(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    let found = chars[from..].iter().position(|&c| wanted(c));
    found.map_or(chars.len(), |offset| from + offset)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a word goes on before `at`; the prefix of a byte string is none.
fn is_word_before(chars: &[char], at: usize) -> bool {
    at > 0 && is_word(chars[at - 1])
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let open = position(chars, from, |c| c != '#');
    let hashes = open - from;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut at = open + 1;
    while at < chars.len() {
        let closes =
            chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
        if closes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(chars.len())
}

/// A character's end; `None` for a lifetime.
fn character_end(chars: &[char], at: usize) -> Option<usize> {
    if chars.get(at + 1) == Some(&'\\') {
        return Some((position(chars, at + 3, |c| c == '\'') + 1).min(chars.len()));
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

/// `code` (of [`code_only`]) with every item behind `#[cfg(test)]` blanked out.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        out.push_str(&rest[..start]);
        let end = start + item_end(&rest[start..]);
        out.extend(
            rest[start..end]
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Where the item that begins at the start of `code` ends: behind its body, or its semicolon.
fn item_end(code: &str) -> usize {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly <= 0 {
                    return at + 1;
                }
            }
            ';' if round == 0 && curly == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Where a word begins in `code`, as a whole word: `unsafe` is not found in `unsafe_code`.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let starts = !word.starts_with(is_word) || !before.is_some_and(is_word);
        let ends = !word.ends_with(is_word) || !after.is_some_and(is_word);
        (starts && ends).then_some(at)
    })
}

/// The line, from 1, of a byte of the text.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// A function of a file.
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line of its `fn`.
    pub line: usize,
    /// From `fn` to the body's brace.
    pub signature: &'a str,
    /// From the body's brace to its end.
    pub body: &'a str,
    /// The attributes and qualifiers before `fn`, as far as the item before.
    pub before: &'a str,
}

impl Function<'_> {
    /// Lines from its `fn` to its closing brace.
    pub fn lines(&self) -> usize {
        self.signature.matches('\n').count() + self.body.matches('\n').count() + 1
    }
}

/// Every function with a body in `code` (of [`code_only`]).
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for start in words(code, "fn") {
        let name = code[start + 2..].trim_start();
        let name = &name[..name.find(|c| !is_word(c)).unwrap_or(name.len())];
        let Some(open) = body_start(&code[start..]) else {
            continue;
        };
        if name.is_empty() {
            continue;
        }
        let body = &code[start + open..];
        let before = code[..start].rfind(['}', ';', '{']).map_or(0, |at| at + 1);
        found.push(Function {
            name,
            line: line_of(code, start),
            signature: &code[start..start + open],
            body: &body[..item_end(body)],
            before: &code[before..start],
        });
    }
    found
}

/// Where a function's body begins; `None` for a declaration.
fn body_start(code: &str) -> Option<usize> {
    let mut round = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' if round == 0 => return Some(at),
            ';' if round == 0 => return None,
            _ if round < 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn braces_in_text_and_comments_are_no_code() {
    let text = r####"
fn a() { let s = "}}\"}"; /* } /* } */ } */ let c = '}'; let l: &'static str = r#"}"}"#; } // }
fn b<'a>(x: &'a [u8; 2]) -> char { let _ = b"}\\"; let _ = br"}"; '\'' }
"####;
    let code = code_only(text);
    assert_eq!(code.matches('{').count(), 2, "{code}");
    assert_eq!(code.matches('}').count(), 2, "{code}");
    assert_eq!(code.len(), text.len());
    let names: Vec<_> = functions(&code).iter().map(|f| f.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn tests_are_cut_out_and_the_rest_stays() {
    let text =
        "fn a() {}\n#[cfg(test)]\nuse x;\n#[cfg(test)]\nmod tests {\n fn t() {}\n}\nfn b() {}\n";
    let code = without_tests(&code_only(text));
    let names: Vec<_> = functions(&code).iter().map(|f| (f.name, f.line)).collect();
    assert_eq!(names, [("a", 1), ("b", 8)]);
}

#[test]
fn a_functions_length_is_from_its_first_line_to_its_last() {
    let code = code_only("#[cold]\nfn a(\n x: [u8; 2],\n) {\n}\nfn declared();\nfn b() {}\n");
    let found = functions(&code);
    assert_eq!(
        found.iter().map(Function::lines).collect::<Vec<_>>(),
        [4, 1]
    );
    assert!(found[0].before.contains("#[cold]"));
}
