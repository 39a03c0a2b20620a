//! The query string, taken apart.
//!
//! Owns decoding and the rule that a parameter nobody asked for is an error: a misspelt filter must
//! never let a check pass.

use percent_encoding::percent_decode_str;

use super::Refusal;

/// Parameters that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Params {
    left: Vec<(String, String)>,
}

impl Params {
    /// Takes a query string apart.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let left = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            })
            .collect();
        Self { left }
    }

    /// Every value of a parameter. Empty values count as not given, as forms send them.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.left).into_iter().partition(|(known, _)| known == name);
        self.left = left;
        taken.into_iter().map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }

    /// The value of a parameter that is given once.
    pub(super) fn one(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let mut values = self.all(name);
        if values.len() > 1 {
            return Err(Refusal::bad(format!("`{name}` is given more than once")));
        }
        Ok(values.pop())
    }

    /// A parameter that `read` understands.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let value = read(&text)
            .ok_or_else(|| Refusal::bad(format!("`{name}={text}` is not understood")))?;
        Ok(Some(value))
    }

    /// Fails when something is left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::bad(format!("there is no parameter `{name}` here"))),
        }
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken_once() {
        let mut params = Params::parse(Some("a=x%20y+z&where=k%3E5&where=b&empty=&flag"));
        assert_eq!(params.one("a").unwrap().unwrap(), "x y z");
        assert_eq!(params.all("where"), ["k>5", "b"]);
        assert_eq!(params.one("empty").unwrap(), None);
        assert_eq!(params.read("flag", |_| Some(1)).unwrap(), None);
        params.finish().unwrap();
    }

    #[test]
    fn what_nobody_asked_for_is_an_error() {
        assert!(Params::parse(Some("sevice=a")).finish().is_err());
        assert!(Params::parse(Some("a=1&a=2")).one("a").is_err());
        assert!(Params::parse(Some("a=b")).read("a", |text| text.parse::<u8>().ok()).is_err());
        Params::parse(None).finish().unwrap();
    }
}
