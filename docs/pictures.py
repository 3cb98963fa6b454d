"""Screenshots for the README (`make pictures`).

This script starts a separate demo, clicks through the pages that the pictures show, takes the pictures and
stops the demo. It needs Chromium.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg
from playwright.sync_api import Page, expect, sync_playwright

from migrations_app.demo.stack import DATABASE, Stack
from tests.e2e.person import JOB_MS, Person
from tests.e2e.slow_link import SlowLink
from tests.engines.browser import NAMES, QUIET

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
WIDTH, MIN_HEIGHT, MAX_HEIGHT = 1280, 640, 1200
SOURCE, TARGET = "library", "search"
# The link to Milvus is slow, so that there is time to take a picture of the job while it runs.
BYTES_PER_SECOND = 9_000_000
HALFWAY = re.compile(r"^\s*[67]\d,\d{3} of")
# Adds six copies of the rows: without them the job would end before a picture is taken.
ADD_ROWS = """
INSERT INTO docs SELECT d.id + n * 1000000, d.module, d.name, d.kind, d.signature, d.text, d.length, d.tags,
    d.meta, d.changed_on, d.embedding FROM docs AS d, generate_series(1, 6) AS n;
ANALYZE docs;
"""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="vectorferry-pictures-") as folder, demo(Path(folder) / ".demo") as stack:
        with psycopg.connect(stack.postgres.url(DATABASE), autocommit=True) as connection:
            connection.execute(ADD_ROWS)
        milvus = urlsplit(stack.milvus.uri)
        with SlowLink(str(milvus.hostname), int(milvus.port or 0), BYTES_PER_SECOND).open() as link:
            take_all(stack, link.uri)


@contextmanager
def demo(folder: Path) -> Iterator[Stack]:
    """Start a demo in the temporary ``folder`` and stop it at the end."""
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environment = {**inherited, "VECTORFERRY_DATA_DIR": str(folder / "console")}
    stack = Stack(folder, ROOT)
    try:
        subprocess.run([sys.executable, "manage.py", "demo"], cwd=ROOT, env=environment, check=True)
        yield stack
    finally:
        stack.stop()


def take_all(stack: Stack, milvus: str) -> None:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit("Chromium is missing. Install it: `apt-get install chromium`")
    passwords = json.loads((stack.folder / "accounts.json").read_text())
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET + as_root)
        page = browser.new_page(base_url=stack.url)
        admin = Person(page, passwords["admin"])
        admin.log_in("admin")
        rename(admin, "demo-postgres", SOURCE)
        rename(admin, "demo-milvus", TARGET, milvus)
        cancel_one(admin)
        walk_and_take(admin)
        browser.close()


def rename(admin: Person, name: str, new: str, address: str = "") -> None:
    """Give a saved connection a new name and, if one is given, a new address."""
    admin.page.goto("/connections/")
    admin.page.get_by_role("row", name=name).get_by_role("link", name="Edit").click()
    admin.field("Name").fill(new)
    if address:
        admin.field("Address").fill(address)
    admin.press("Save")
    expect(admin.page.get_by_text(f"“{new}” was saved")).to_be_visible()


def cancel_one(admin: Person) -> None:
    """Start a job and cancel it, so that the list shows a canceled one."""
    admin.go_to_migrate(SOURCE, TARGET, docs="docs_2025")
    admin.migrate()
    expect(admin.page.get_by_role("cell", name="Moving rows")).to_be_visible(timeout=JOB_MS)
    admin.page.get_by_role("link", name="Cancel job…").click()
    admin.press("Cancel the job")
    admin.waits_for("Canceled")


def walk_and_take(admin: Person) -> None:
    page = admin.page
    admin.begin()
    page.get_by_role("radio", name=SOURCE).check()
    admin.press("Next")
    admin.choose("public.docs", "public.examples", target=TARGET)
    admin.name_target("documentation")
    admin.switch_to("examples")
    admin.name_target("snippets")
    admin.switch_to("docs")
    take(page, "configure-light")
    admin.continue_to_migrate()
    for choice in ("Create indexes", "Load collections for search"):
        admin.field(choice).check()
    take(page, "migrate-light")
    admin.migrate()
    expect(page.locator(".progress-line")).to_have_text(HALFWAY, timeout=JOB_MS)
    take(page, "job-light")
    page.emulate_media(color_scheme="dark")
    take(page, "job-dark")
    page.emulate_media(color_scheme="light")
    page.goto("/jobs/")
    take(page, "jobs-light")


def take(page: Page, name: str) -> None:
    """Save a picture of the current page, in a window that is as high as the page (within limits)."""
    page.set_viewport_size({"width": WIDTH, "height": MIN_HEIGHT})
    needed = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": WIDTH, "height": min(max(needed, MIN_HEIGHT), MAX_HEIGHT)})
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)  # until animations have ended
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
