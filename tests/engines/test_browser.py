"""Chromium fixture: it shows a page, and without Chromium a test is skipped or fails."""

import os
import subprocess
import sys

from playwright.sync_api import Page


def test_a_page_is_shown(page: Page):
    page.set_content("<h1>Jobs</h1>")
    assert page.get_by_role("heading").inner_text() == "Jobs"


def run_without_chromium(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", f"{__file__}::test_a_page_is_shown"]
    clean = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        command, env={**clean, "PATH": "", **environment}, capture_output=True, text=True, timeout=120
    )


def test_a_browser_test_without_chromium_is_skipped_with_an_install_hint():
    result = run_without_chromium()
    assert result.returncode == 0, result.stdout
    assert "Chromium is missing: `apt-get install chromium` gets it" in result.stdout


def test_a_browser_test_without_chromium_fails_under_ci():
    result = run_without_chromium(CI="true")
    assert result.returncode == 1
    assert "Under CI=true nothing real may be skipped. Skipped: Chromium is missing" in result.stdout
