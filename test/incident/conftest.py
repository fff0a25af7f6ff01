"""One stage for all; the figures are shown at the end, and nothing fails by them: see doc/incident.md for a quiet machine's."""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from scene import TOP, Scene, run  # noqa: E402

figures = []


@pytest.fixture(scope="session")
def scene():
	folder = tempfile.mkdtemp(prefix="pgweir-incident-")
	os.chmod(folder, 0o755)
	try:
		with Scene(folder, run([f"{TOP}/build-aux/get-postgres", "18"]).split("\n")[-2]) as made:
			yield made
	finally:
		shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def figure():
	"""figure(text) is shown at the end."""
	return figures.append


def pytest_terminal_summary(terminalreporter):
	if figures:
		terminalreporter.section("figures")
	for text in figures:
		terminalreporter.line(text)
