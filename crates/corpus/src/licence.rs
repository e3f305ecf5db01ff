//! Which licence a text is.

/// What a file that holds a licence is called, in lower case, up to its ending.
const NAMES: [&str; 6] = [
    "licence",
    "license",
    "copying",
    "unlicense",
    "licences",
    "copyright",
];

/// Licences under which a change may be learned from and passed on, by SPDX name, and what their texts have in them in lower case.
/// The first that fits holds.
const PERMISSIVE: [(&str, &[&str]); 10] = [
    ("Apache-2.0", &["apache license", "version 2.0"]),
    ("PSF-2.0", &["python software foundation license version 2"]),
    (
        "BSD-3-Clause",
        &[
            "redistribution and use in source and binary forms",
            "to endorse or promote products",
        ],
    ),
    (
        "BSD-2-Clause",
        &["redistribution and use in source and binary forms"],
    ),
    (
        "Unlicense",
        &["free and unencumbered software released into the public domain"],
    ),
    ("CC0-1.0", &["cc0 1.0 universal"]),
    (
        "Zlib",
        &[
            "this software is provided 'as-is'",
            "altered source versions must be plainly marked",
        ],
    ),
    (
        "ISC",
        &[
            "permission to use, copy, modify, and/or distribute this software",
            "copyright notice and this permission notice appear",
        ],
    ),
    (
        "0BSD",
        &["permission to use, copy, modify, and/or distribute this software"],
    ),
    (
        "MIT",
        &[
            "permission is hereby granted, free of charge",
            "the software is provided \"as is\"",
        ],
    ),
];

/// What licences that ask for more have in them.
const OTHER: [(&str, &str); 6] = [
    ("AGPL-3.0", "gnu affero general public license"),
    ("LGPL", "gnu lesser general public license"),
    ("LGPL", "gnu library general public license"),
    ("GPL", "gnu general public license"),
    ("MPL-2.0", "mozilla public license"),
    ("EPL", "eclipse public license"),
];

/// Whether a file of this name, in the repository's first folder, holds its licence.
pub fn is_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = name.split(['.', '-', '_']).next().unwrap_or_default();
    NAMES.contains(&stem) && !name.ends_with(".py")
}

/// The licence's SPDX name, and whether it is permissive; none for a text that is not known.
pub fn of(text: &str) -> Option<(&'static str, bool)> {
    let text = text.to_lowercase().replace(['\u{201c}', '\u{201d}'], "\"");
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    // The GNU licences name each other, and Apache's: what stands at the beginning counts for these.
    let head: String = text.chars().take(400).collect();
    if let Some((name, _)) = OTHER.iter().find(|(_, mark)| head.contains(mark)) {
        return Some((name, false));
    }
    let permissive = PERMISSIVE
        .iter()
        .find(|(_, marks)| marks.iter().all(|mark| text.contains(mark)));
    if let Some((name, _)) = permissive {
        return Some((name, true));
    }
    OTHER
        .iter()
        .find(|(_, mark)| text.contains(mark))
        .map(|(name, _)| (*name, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_projects_own_licences_are_known() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        for (file, name) in [("LICENSE-MIT", "MIT"), ("LICENSE-APACHE", "Apache-2.0")] {
            let text = std::fs::read_to_string(format!("{here}{file}")).unwrap();
            assert_eq!(of(&text), Some((name, true)), "{file}");
            assert!(is_name(file));
        }
    }

    #[test]
    fn a_licence_that_asks_for_more_is_told_apart() {
        assert_eq!(
            of("GNU GENERAL PUBLIC LICENSE\n Version 3"),
            Some(("GPL", false))
        );
        assert_eq!(
            of("GNU LESSER GENERAL PUBLIC LICENSE ... the GNU General Public License"),
            Some(("LGPL", false))
        );
        assert_eq!(of("All rights reserved."), None);
    }

    #[test]
    fn names_of_licence_files() {
        for name in [
            "LICENSE",
            "LICENSE.txt",
            "LICENCE.rst",
            "COPYING",
            "License.md",
            "COPYING.LESSER",
            "LICENSE-MIT",
            "UNLICENSE",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in ["README", "license.py", "licensing_tools", "src"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
