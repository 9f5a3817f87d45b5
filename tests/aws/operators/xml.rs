//! Just enough XML for answers of AWS: elements with text or elements, no comments, no mixed content.

/// An element.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    attributes: String,
    pub words: String,
    pub children: Vec<Node>,
}

impl Node {
    /// The first child with this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Visits all below, then this one.
    pub fn walk(&mut self, visit: fn(&mut Self)) {
        self.children.iter_mut().for_each(|child| child.walk(visit));
        visit(self);
    }

    /// As text.
    pub fn text(&self) -> String {
        let below: String = self.children.iter().map(Self::text).collect();
        format!("<{}{}>{}{below}</{}>", self.name, self.attributes, self.words, self.name)
    }
}

/// What stands before the first element, and that element; none where the text is not XML.
pub fn parse(text: &str) -> Option<(&str, Node)> {
    let mut begin = text.find('<')?;
    while text[begin..].starts_with("<?") {
        begin += text[begin..].find("?>")? + 2;
        begin += text[begin..].find('<')?;
    }
    let (head, rest) = text.split_at(begin);
    element(rest).map(|(node, _)| (head, node))
}

/// The element that the text begins with, and what comes after it.
fn element(text: &str) -> Option<(Node, &str)> {
    let (tag, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let closed = tag.ends_with('/');
    let tag = tag.trim_end_matches('/');
    let (name, attributes) = tag.split_at(tag.find(char::is_whitespace).unwrap_or(tag.len()));
    let mut node = Node { name: name.to_owned(), attributes: attributes.to_owned(), ..Node::default() };
    if closed {
        return Some((node, rest));
    }
    loop {
        let (words, after) = rest.split_at(rest.find('<')?);
        if let Some(after) = after.strip_prefix("</") {
            if node.children.is_empty() {
                node.words = words.to_owned();
            }
            return Some((node, after.split_once('>')?.1));
        }
        let (child, after) = element(after)?;
        node.children.push(child);
        rest = after;
    }
}
