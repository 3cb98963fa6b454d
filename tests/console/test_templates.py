"""Templates and static files: they load, obey the content security policy, and are readable in each theme."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template

TEMPLATES = settings.BASE_DIR / "templates"
STATIC = settings.BASE_DIR / "static"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
CSS = "".join(path.read_text() for path in sorted(STATIC.glob("css/*.css")))


def source(name: str) -> str:
    return (TEMPLATES / name).read_text()


def test_every_template_loads() -> None:
    assert [get_template(name).template.name for name in NAMES] == NAMES


def test_no_template_contains_inline_style_script_or_handlers() -> None:
    inline = re.compile(
        r"<style|\sstyle=|\son[a-z]+=|\shx-on|javascript:|[\"']js:|<script(?![^>]*\ssrc=)", re.IGNORECASE
    )
    assert [name for name in NAMES if inline.search(source(name))] == []


def test_no_template_sends_the_browser_to_another_host() -> None:
    other_host = re.compile(r"(src|href|action)=\"(https?:)?//")
    assert [name for name in NAMES if other_host.search(source(name))] == []


def test_no_style_sheet_or_script_of_ours_loads_from_another_host() -> None:
    for path in [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js")]:
        assert not re.search(r"https?://|@import", path.read_text()), path.name


def test_every_template_lists_its_context() -> None:
    undocumented = [name for name in NAMES if not source(name).startswith("{# context: ")]
    assert undocumented == ["_logo.html"]


def test_every_post_form_has_a_csrf_token() -> None:
    form = re.compile(r"<form[^>]*method=\"post\".*?</form>", re.DOTALL)
    forms = [(name, text) for name in NAMES for text in form.findall(source(name))]
    assert forms
    assert [name for name, text in forms if "{% csrf_token %}" not in text] == []


def test_every_static_file_a_template_names_exists() -> None:
    paths = {path for name in NAMES for path in re.findall(r"{% static '([^']+)' %}", source(name))}
    assert paths
    assert [path for path in sorted(paths) if not finders.find(path)] == []


def test_every_icon_in_use_is_in_the_sprite() -> None:
    sprite = (STATIC / "vendor/bootstrap-icons/icons.svg").read_text()
    available = set(re.findall(r'id="([^"]+)"', sprite))
    text = "".join(map(source, NAMES)) + (settings.BASE_DIR / "console/templatetags/console.py").read_text()
    used = set(re.findall(r'{% icon "([^"]+)" %}|icon_name="([^"]+)"', text))
    assert used
    assert {first or second for first, second in used} <= available


def test_every_vendored_folder_has_its_licence() -> None:
    for folder in filter(Path.is_dir, (STATIC / "vendor").iterdir()):
        assert (folder / "LICENSE").is_file(), folder.name


# --- Contrast (WCAG 2.2): at least 4.5 for text, at least 3 for controls ------------------------------------


def colours(theme: int) -> dict[str, str]:
    """The variables of one theme: 0 light, 1 dark."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
    return {name: values[theme] for name, *values in pairs}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


GROUNDS = ("page", "card", "rail", "sunken", "accent-faint", "idle-soft", "accent-soft")
TEXT = [
    *((text, ground) for text in ("text", "muted", "accent", "accent-strong", "bad") for ground in GROUNDS),
    *((text, f"{text}-soft") for text in ("bad", "warn")),
    *(("warn", ground) for ground in ("page", "card", "sunken")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-bad", "bad"),
]
SHAPES = [("line-control", "page"), ("line-control", "card"), ("accent", "track"), ("accent", "card")]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(theme: int) -> None:
    colour = colours(theme)
    faint = [(text, ground) for text, ground in TEXT if contrast(colour[text], colour[ground]) < 4.5]
    assert faint == []


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_controls_and_bars_can_be_seen(theme: int) -> None:
    colour = colours(theme)
    faint = [(shape, ground) for shape, ground in SHAPES if contrast(colour[shape], colour[ground]) < 3]
    assert faint == []


def test_every_colour_is_a_variable_of_the_first_block() -> None:
    rules = CSS.split("\n}\n", 1)[1]
    assert not re.search(r"#[0-9a-f]{3,8}\b(?![^{]*{)|rgba?\(|hsla?\(", rules)
    used, known = set(re.findall(r"var\(--([\w-]+)\)", CSS)), set(re.findall(r"--([\w-]+):", CSS))
    assert used <= known
