//! What classes are called: the data's own names, a list of the project's, or a built-in list.
//!
//! A list names whatever has as many classes as it has names: the outputs of a network, the
//! labels of a data set, or both. So a network with 1,000 trained outputs keeps their names
//! whatever data it is shown.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{DataError, read_limited};
use crate::i18n::{Text, tr, tr_format};

/// The most names in a list, and bytes in a name.
pub const MAX_CLASS_NAMES: usize = 100_000;
const MAX_NAME: usize = 400;
/// The most bytes of a file of names.
const MAX_BYTES: u64 = 4 << 20;

/// What the classes are called. In files `"imagenet"`, or `["cat", "dog"]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassNames {
    /// As the data say.
    #[default]
    OfData,
    /// A list inside the program, by name.
    BuiltIn(String),
    /// One for each class, in their order.
    List(Vec<String>),
}

/// The lists inside the program, and what they are.
pub const CLASS_LISTS: &[(&str, Text)] = &[
    (
        "imagenet",
        Text::new(
            "the 1,000 classes of ImageNet (ILSVRC 2012)",
            "ImageNet（ILSVRC 2012）的 1,000 个类别",
        ),
    ),
    (
        "voc",
        Text::new(
            "background and the 20 classes of PASCAL VOC",
            "背景与 PASCAL VOC 的 20 个类别",
        ),
    ),
];

static IMAGENET: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("../../assets/classes/imagenet.txt")
        .lines()
        .collect()
});

/// Everingham et al., “The PASCAL Visual Object Classes Challenge”, 2010, in the order of the
/// labels in its images.
static VOC: [Text; 21] = [
    Text::new("background", "背景"),
    Text::new("aeroplane", "飞机"),
    Text::new("bicycle", "自行车"),
    Text::new("bird", "鸟"),
    Text::new("boat", "船"),
    Text::new("bottle", "瓶子"),
    Text::new("bus", "公共汽车"),
    Text::new("car", "小汽车"),
    Text::new("cat", "猫"),
    Text::new("chair", "椅子"),
    Text::new("cow", "奶牛"),
    Text::new("dining table", "餐桌"),
    Text::new("dog", "狗"),
    Text::new("horse", "马"),
    Text::new("motorbike", "摩托车"),
    Text::new("person", "人"),
    Text::new("potted plant", "盆栽"),
    Text::new("sheep", "绵羊"),
    Text::new("sofa", "沙发"),
    Text::new("train", "火车"),
    Text::new("TV or monitor", "电视或显示器"),
];

impl ClassNames {
    /// One name a line, or separated by commas on a single line; empty is the data's own.
    pub fn parse(text: &str) -> Self {
        let separator = if text.trim().contains('\n') {
            '\n'
        } else {
            ','
        };
        let names = text.split(separator).map(str::trim);
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        match &names[..] {
            [] => Self::OfData,
            [one] if CLASS_LISTS.iter().any(|(name, _)| name == one) => Self::BuiltIn(one.clone()),
            _ => Self::List(names),
        }
    }

    /// Reads a text file with one name a line.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::read(path, error))?;
        let too_large = tr("is too large for a list of names", "过大，不是名称列表");
        let bytes = read_limited(BufReader::new(file), path, MAX_BYTES, too_large)?;
        let no_text = |_| DataError::format(path, tr("is no UTF-8 text", "不是 UTF-8 文本"));
        let names = Self::parse(&String::from_utf8(bytes).map_err(no_text)?);
        names.check()?;
        Ok(names)
    }

    pub fn is_of_data(&self) -> bool {
        *self == Self::OfData
    }

    /// How many names there are; 0 where the data give them.
    pub fn count(&self) -> usize {
        match self {
            Self::OfData => 0,
            Self::BuiltIn(name) => match name.as_str() {
                "imagenet" => IMAGENET.len(),
                "voc" => VOC.len(),
                _ => 0,
            },
            Self::List(names) => names.len(),
        }
    }

    /// The name of a class, in the language of the window where the list has both.
    pub fn get(&self, class: usize) -> Option<&str> {
        match self {
            Self::OfData => None,
            Self::BuiltIn(name) => match name.as_str() {
                "imagenet" => IMAGENET.get(class).copied(),
                "voc" => VOC.get(class).map(|text| text.get()),
                _ => None,
            },
            Self::List(names) => names.get(class).map(String::as_str),
        }
    }

    /// The name of one of `count` classes; `None` where the list is for another number of them.
    pub fn of(&self, class: usize, count: usize) -> Option<Cow<'_, str>> {
        let name = self.get(class).filter(|_| self.count() == count);
        name.map(Cow::Borrowed)
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        let problem = match self {
            Self::BuiltIn(name) if !CLASS_LISTS.iter().any(|(known, _)| known == name) => {
                let known: Vec<&str> = CLASS_LISTS.iter().map(|(name, _)| *name).collect();
                let known = known.join(", ");
                tr_format!(
                    "is “{name}”, but the built-in lists are {known}; write a list of names in brackets",
                    "为“{name}”，而内置列表有 {known}；请用方括号写出名称列表"
                )
            }
            Self::List(names) if names.len() > MAX_CLASS_NAMES => {
                let count = names.len();
                tr_format!(
                    "has {count} names; at most {MAX_CLASS_NAMES} are read",
                    "有 {count} 个名称；最多 {MAX_CLASS_NAMES} 个"
                )
            }
            Self::List(names) => {
                let is_bad = |name: &&String| name.trim().is_empty() || name.len() > MAX_NAME;
                let Some(place) = names.iter().position(|name| is_bad(&name)) else {
                    return Ok(());
                };
                tr_format!(
                    "has an empty or overlong name at place {place} (from 0)",
                    "中第 {place} 个名称（从 0 起）为空或过长"
                )
            }
            _ => return Ok(()),
        };
        Err(DataError::config("classes", problem))
    }
}

impl Serialize for ClassNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::OfData => serializer.serialize_str(""),
            Self::BuiltIn(name) => serializer.serialize_str(name),
            Self::List(names) => serializer.collect_seq(names),
        }
    }
}

impl<'de> Deserialize<'de> for ClassNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ClassNames;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "the name of a built-in list of classes, or a list of names in brackets",
                )
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ClassNames, E> {
                Ok(match text {
                    "" => ClassNames::OfData,
                    name => ClassNames::BuiltIn(name.to_owned()),
                })
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut names: A,
            ) -> Result<ClassNames, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element()? {
                    list.push(name);
                }
                Ok(match list.is_empty() {
                    true => ClassNames::OfData,
                    false => ClassNames::List(list),
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataConfig, Dataset, Feed};
    #[test]
    fn the_built_in_lists_are_whole() {
        for (name, count) in [("imagenet", 1000), ("voc", 21)] {
            let names = ClassNames::BuiltIn(name.to_owned());
            assert_eq!(names.count(), count);
            assert!(names.check().is_ok() && names.get(count - 1).is_some());
            assert_eq!(names.get(count), None);
        }
        let imagenet = ClassNames::BuiltIn("imagenet".to_owned());
        let named = [(0, "tench"), (281, "tabby"), (999, "toilet tissue")];
        assert!(
            named
                .iter()
                .all(|(class, name)| imagenet.get(*class) == Some(name))
        );
    }

    #[test]
    fn what_a_person_pastes_becomes_a_list() {
        let list = |names: &[&str]| {
            ClassNames::List(names.iter().map(|name| (*name).to_owned()).collect())
        };
        let cases = [
            ("", ClassNames::OfData),
            (" \n ", ClassNames::OfData),
            ("imagenet\n", ClassNames::BuiltIn("imagenet".to_owned())),
            ("cat, dog", list(&["cat", "dog"])),
            ("cat, tabby\n\n dog \r\n", list(&["cat, tabby", "dog"])),
        ];
        for (text, expected) in cases {
            assert_eq!(ClassNames::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn files_say_a_name_or_a_list_and_the_rest_is_refused() {
        let read = |classes: &str| {
            let text = format!("(source: \"digits\", classes: {classes})");
            ron::from_str::<DataConfig>(&text)
        };
        assert_eq!(read("\"voc\"").unwrap().classes.count(), 21);
        let named = read("[\"a\", \"b\"]").unwrap();
        assert_eq!(named.classes.get(1), Some("b"));
        let text = ron::to_string(&named).unwrap();
        assert_eq!(ron::from_str::<DataConfig>(&text).unwrap(), named);
        assert!(
            !ron::to_string(&DataConfig::default())
                .unwrap()
                .contains("classes")
        );
        assert!(read("7").is_err());
        for wrong in ["\"coco\"", "[\"a\", \" \"]"] {
            let error = read(wrong).unwrap().check().unwrap_err().to_string();
            assert!(error.contains("classes"), "{error}");
        }
    }

    #[test]
    fn a_list_of_another_length_leaves_the_data_s_own_names() {
        let feed = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let config = DataConfig {
                classes: ClassNames::List(names),
                ..DataConfig::default()
            };
            let dataset = Dataset::open(&config, Path::new("")).unwrap();
            Feed::new(dataset, &config, None).unwrap()
        };
        let ten = feed(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
        assert_eq!(ten.dataset().class_name(2), "c");
        assert_eq!(ten.output_name(2, 10), "c");
        let two = feed(&["no", "yes"]);
        assert_eq!(two.dataset().class_name(2), "2");
        assert_eq!(
            (&*two.output_name(1, 2), &*two.output_name(1, 10)),
            ("yes", "1")
        );
        assert_eq!(two.output_name(700, 1000), "700");
    }
}
