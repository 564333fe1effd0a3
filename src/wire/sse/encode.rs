//! Writes events; see the invariant in [`super`].

/// How a patch is applied to its target; the names are Datastar's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Morph the target into the new element (the default, not named on the wire).
    #[default]
    Outer,
    /// Morph the target's children.
    Inner,
    /// Replace the target without morphing.
    Replace,
    /// Insert before the target's first child.
    Prepend,
    /// Insert after the target's last child.
    Append,
    /// Insert before the target.
    Before,
    /// Insert after the target.
    After,
    /// Remove the target; the HTML may be empty.
    Remove,
}

impl Mode {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outer => "outer",
            Self::Inner => "inner",
            Self::Replace => "replace",
            Self::Prepend => "prepend",
            Self::Append => "append",
            Self::Before => "before",
            Self::After => "after",
            Self::Remove => "remove",
        }
    }
}

/// The namespace of elements that are not HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Children of an `<svg>`.
    Svg,
    /// Children of a `<math>`.
    MathMl,
}

impl Namespace {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::MathMl => "mathml",
        }
    }
}

/// One `datastar-patch-elements` event; start from `Elements::default()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elements<'a> {
    /// The event's `id:`, which the browser gives back as `last-event-id`.
    pub id: Option<u64>,
    /// The browser's next reconnect delay in milliseconds.
    pub retry_ms: Option<u32>,
    /// CSS selector of the target. `None` and `""`: the root elements' own `id`s are the targets,
    /// which the client allows for [`Mode::Outer`] and [`Mode::Replace`] only.
    pub selector: Option<&'a str>,
    /// How the patch is applied.
    pub mode: Mode,
    /// `None` is HTML.
    pub namespace: Option<Namespace>,
    /// Ask the browser for a view transition.
    pub view_transition: bool,
    /// The elements.
    pub html: &'a str,
}

/// Appends one element patch.
pub fn patch_elements(out: &mut Vec<u8>, patch: &Elements<'_>) {
    out.reserve(patch.html.len() + 96);
    out.extend_from_slice(b"event: datastar-patch-elements\n");
    if let Some(selector) = patch.selector.filter(|selector| !selector.is_empty()) {
        data(out, "selector", selector.as_bytes());
    }
    if patch.mode != Mode::Outer {
        data(out, "mode", patch.mode.as_str().as_bytes());
    }
    if let Some(namespace) = patch.namespace {
        data(out, "namespace", namespace.as_str().as_bytes());
    }
    if patch.view_transition {
        data(out, "useViewTransition", b"true");
    }
    if !(patch.html.is_empty() && patch.mode == Mode::Remove) {
        data(out, "elements", patch.html.as_bytes());
    }
    end(out, patch.id, patch.retry_ms);
}

/// Appends one signal patch. `json` must be a JSON object: Datastar runs what is not JSON as
/// JavaScript, so never pass text that a serializer did not make.
pub fn patch_signals(out: &mut Vec<u8>, id: Option<u64>, only_if_missing: bool, json: &[u8]) {
    out.reserve(json.len() + 80);
    out.extend_from_slice(b"event: datastar-patch-signals\n");
    if only_if_missing {
        data(out, "onlyIfMissing", b"true");
    }
    data(out, "signals", json);
    end(out, id, None);
}

/// Appends an event that runs `js` in the page: a `<script>` that is appended to the body and
/// removes itself.
///
/// Inside `js`, the `<` of `<!--` and of an end tag that would end the script or mislead the client
/// (`</script`, `</html`, `</head`, `</body`, `</svg`, in any case) becomes `\x3C`. In string,
/// template and regular expression literals, where such text occurs, that is the same character
/// (but for `String.raw`).
pub fn script(out: &mut Vec<u8>, id: Option<u64>, js: &str) {
    let mut html = String::with_capacity(js.len() + 48);
    html.push_str("<script data-effect=\"el.remove()\">");
    guard_script(js, &mut html);
    html.push_str("</script>");
    patch_elements(
        out,
        &Elements {
            id,
            selector: Some("body"),
            mode: Mode::Append,
            html: &html,
            ..Elements::default()
        },
    );
}

/// Appends a comment, which the client reads and ignores: the heartbeat.
pub fn comment(out: &mut Vec<u8>, text: &str) {
    for line in lines(text.as_bytes()) {
        out.extend_from_slice(b": ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Appends a block that only sets the browser's reconnect delay in milliseconds.
pub fn retry(out: &mut Vec<u8>, ms: u32) {
    end(out, None, Some(ms));
}

/// What a script's text must not hold after `<`: the first would open an escaped state of the HTML
/// parser, the second would end the script, and the rest are searched for in the whole patch by the
/// client, which then parses it as a document and loses the script.
const GUARDED: [&str; 6] = ["!--", "/script", "/html", "/head", "/body", "/svg"];

fn guard_script(js: &str, html: &mut String) {
    let mut rest = js;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        html.push_str(before);
        let after = &from[1..];
        let risky = GUARDED.iter().any(|word| {
            after
                .as_bytes()
                .get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        });
        html.push_str(if risky { "\\x3C" } else { "<" });
        rest = after;
    }
    html.push_str(rest);
}

fn data(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for line in lines(value) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

fn end(out: &mut Vec<u8>, id: Option<u64>, retry_ms: Option<u32>) {
    if let Some(ms) = retry_ms {
        out.extend_from_slice(format!("retry: {ms}\n").as_bytes());
    }
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.push(b'\n');
}

/// The pieces between CR, LF and CRLF; always at least one, the last one also when it is empty.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            rest = None;
            return Some(text);
        };
        let width = if text[at..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = Some(&text[at + width..]);
        Some(&text[..at])
    })
}
