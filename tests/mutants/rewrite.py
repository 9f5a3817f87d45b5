"""Writes all mutants of a file into the file itself, each behind a switch (mutant schemata: Untch, Offutt, Harrold, ISSTA 1993), so that
one compilation serves them all. Where a mutant changes, and into what, is said by `cargo mutants --list --json`."""

import tree_sitter
import tree_sitter_rust

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))
ON = "crate::mutant_switch::on"
# Around the code of mutant 12: a compiler's error between them belongs to it.
OPEN, CLOSE = "/*<m{}*/", "/*m{}>*/"


class Inexpressible(Exception):
    """A mutant that cannot stand behind a switch."""


def offset_of(lines, place):
    """The byte offset of a line and column, both from 1, the column in characters."""
    before = sum(len(line) for line in lines[: place["line"] - 1])
    text = lines[place["line"] - 1].decode()
    return before + len(text[: place["column"] - 1].encode())


def parents(node):
    while node is not None:
        yield node
        node = node.parent


def found(root, start, end):
    """The smallest node that covers a range of bytes, and those around it."""
    return parents(root.descendant_for_byte_range(start, max(start, end - 1)))


def first(nodes, *kinds):
    for node in nodes:
        if node.type in kinds:
            return node
    raise Inexpressible(f"no {' or '.join(kinds)} around it")


class File:
    """One source file, the mutants of which are numbered across all files."""

    def __init__(self, source):
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.root = PARSER.parse(source).root_node
        # Node (by its range and type) to what is done with it: (number, kind, replacement, operator's range).
        self.changes = {}

    def add(self, number, mutant):
        """Notes a mutant at the node which it changes."""
        start, end = (offset_of(self.lines, mutant["span"][side]) for side in ("start", "end"))
        genre = mutant["genre"]
        around = list(found(self.root, start, end))
        if genre == "FnValue":
            node = first(around, "block")
            function = first(parents(node), "function_item", "closure_expression")
            if b"const " in self.source[function.start_byte : node.start_byte].split(b"fn ")[0]:
                raise Inexpressible("a constant function")
        elif genre == "BinaryOperator":
            node = first(around, "binary_expression", "compound_assignment_expr", "let_chain")
            if node.type == "let_chain" or any(child.type == "let_condition" for child in node.children):
                raise Inexpressible("part of a chain of `let`")
        elif genre == "UnaryOperator":
            node = first(around, "unary_expression")
        elif genre in ("MatchArm", "MatchArmGuard"):
            node = first(around, "match_arm")
            guard = self.guard(node)
            if genre == "MatchArm" and not self.has_wildcard(node.parent):
                raise Inexpressible("an arm that the others do not cover")
            if guard is not None and guard.type in ("let_condition", "let_chain"):
                raise Inexpressible("a guard with `let`")
        elif genre == "StructField":
            node = first(around, "struct_expression")
        else:
            raise Inexpressible(f"a mutant of kind {genre}")
        key = (node.start_byte, node.end_byte, node.type)
        self.changes.setdefault(key, []).append((number, genre, mutant["replacement"], (start, end)))

    def has_wildcard(self, block):
        """Whether a match has an arm for all that is left."""
        arms = [arm for arm in block.children if arm.type == "match_arm" and self.guard(arm) is None]
        return any(self.source[arm.children[0].start_byte : arm.children[0].end_byte] == b"_" for arm in arms)

    @staticmethod
    def guard(arm):
        pattern = arm.child_by_field_name("pattern")
        return pattern.child_by_field_name("condition") if pattern is not None else None

    def text(self):
        return self.rendered(self.root)

    def plain(self, node, changed=None):
        """A node with its children rendered; `changed` maps a child's range to another text."""
        out, at = [], node.start_byte
        for child in node.children:
            out.append(self.source[at : child.start_byte].decode())
            key = (child.start_byte, child.end_byte)
            out.append((changed or {})[key] if key in (changed or {}) else self.rendered(child))
            at = child.end_byte
        out.append(self.source[at : node.end_byte].decode())
        return "".join(out) if node.children else self.source[node.start_byte : node.end_byte].decode()

    def rendered(self, node):
        changes = self.changes.get((node.start_byte, node.end_byte, node.type))
        if not changes:
            return self.plain(node)
        genre = changes[0][1]
        if genre == "FnValue":
            return self.function(node, changes)
        if genre in ("MatchArm", "MatchArmGuard"):
            return self.arm(node, changes)
        return self.expression(node, changes)

    def marked(self, number, text):
        return OPEN.format(number) + text + CLOSE.format(number)

    def function(self, block, changes):
        switches = "".join(
            self.marked(number, f"if {ON}({number}) {{ return {replacement}; }} ") for number, _, replacement, _ in changes)
        body = self.plain(block)
        inner = body.index("{") + 1
        # Attributes of the block (`#![...]`) are not used in this tree.
        return f"{body[:inner]} {switches}{body[inner:]}"

    def expression(self, node, changes):
        """`(if on(1) { a + b } else if on(2) { a * b } else { a - b })`"""
        out = ""
        for number, genre, replacement, (start, end) in changes:
            if genre == "StructField":
                other = self.without(node, start, end)
            else:
                other = self.plain(node, {(start, end): replacement if genre == "BinaryOperator" else ""})
            out += f"if {ON}({number}) {{ {self.marked(number, other)} }} else "
        return f"({out}{{ {self.plain(node)} }})"

    def without(self, node, start, end):
        """A struct expression without the field in a range."""
        text = self.source[node.start_byte : start].decode()
        rest = self.source[end : node.end_byte].decode().lstrip()
        return text + (rest[1:] if rest.startswith(",") else rest)

    def arm(self, node, changes):
        guard = self.guard(node)
        condition = "" if guard is None else f"({self.rendered(guard)})"
        for number, genre, replacement, _ in changes:
            if genre == "MatchArm":
                condition = f"!{ON}({number})" + (f" && {condition}" if condition else "")
            elif replacement == "true":
                condition = f"({ON}({number}) || {condition})"
            else:
                condition = f"(!{ON}({number}) && {condition})"
        pattern = node.child_by_field_name("pattern")
        shape = pattern.children[0]
        head = self.source[node.start_byte : pattern.start_byte].decode()
        rest = self.plain(node, {(pattern.start_byte, pattern.end_byte): ""})[len(head):]
        return f"{head}{self.source[shape.start_byte:shape.end_byte].decode()} if {condition}{rest}"
