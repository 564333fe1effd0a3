//! HTML as a type: what is not named trusted is escaped.

use std::fmt::{self, Display};

/// A piece of HTML.
///
/// Text becomes HTML by escaping ([`From<&str>`](#impl-From<%26str>-for-Html)); markup that is
/// known to be safe has to be named so: [`Html::trusted`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Takes `markup` as it is. Whoever calls this vouches for every byte.
    #[must_use]
    pub fn trusted(markup: impl Into<String>) -> Self {
        Self(markup.into())
    }

    /// Escapes `text`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        escape(text, &mut html);
        Self(html)
    }

    /// The markup.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Escapes `text` for element content and for double-quoted attributes.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

impl fmt::Debug for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The markup, so that a template that takes it must say that it is safe.
impl Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "maud")]
impl From<maud::Markup> for Html {
    fn from(markup: maud::Markup) -> Self {
        Self(markup.into_string())
    }
}

#[cfg(feature = "maud")]
impl maud::Render for Html {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&self.0);
    }
}

impl From<Html> for minijinja::Value {
    fn from(html: Html) -> Self {
        Self::from_safe_string(html.0)
    }
}
