"""The tags, links and ids of a page."""

from html.parser import HTMLParser

VOID = {"meta", "br", "input", "link", "hr", "img"}


class Outline(HTMLParser):
    """Checks that tags are closed in order, and gathers what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images_without_words = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        table = dict(attrs)
        self.tags.append(tag)
        self.links += [str(table[name]) for name in ("href", "src") if table.get(name)]
        self.ids += [str(table["id"])] if "id" in table else []
        if tag == "svg" and not (table.get("aria-label") or table.get("aria-hidden") == "true"):
            self.images_without_words += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser
