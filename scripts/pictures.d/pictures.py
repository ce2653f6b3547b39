"""Makes the pictures of docs/images: see scripts/pictures."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from board import ScriptedBoard
from browser import Browser
from PIL import Image
from workload import record

import fastnvmetrics as fm

WIDTH, HEIGHT = 1400, 1000


def main(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        trace, root = os.path.join(temporary, "llm.bin"), os.path.join(temporary, "agx")
        with ScriptedBoard(root) as board:
            record(trace, board, root)
            terminal(board, root, directory / "top.txt")
        title = "Jetson AGX Orin (simulated)  ·  a language model answers three prompts"
        fm.plot(trace, directory / "plot.png", title=title)
        shrink(directory / "plot.png")
        page = os.path.join(temporary, "llm.html")
        fm.plot(trace, page, title=title)
        with Browser(WIDTH, HEIGHT) as browser:
            screenshots(browser, page, directory)
    for name in sorted(os.listdir(directory)):
        print(f"{directory / name}: {(directory / name).stat().st_size / 1000:.0f} kB")


def screenshots(browser: Browser, page: str, directory: Path) -> None:
    """Take the page as it opens, and after a drag over what was from 3.2 to 4.1 s."""
    axis = "document.getElementById('plot')._fullLayout.xaxis"
    browser.open(
        f"file://{page}",
        f"window.Plotly && document.getElementById('plot')?._fullLayout?.xaxis && {axis}.range",
    )
    browser.resize(WIDTH, browser.evaluate("document.documentElement.scrollHeight"))
    browser.screenshot(str(directory / "plot-html.png"))
    left = browser.evaluate("document.getElementById('plot').getBoundingClientRect().left")
    first, last = (
        left + browser.evaluate(f"{axis}._offset + {axis}.d2p({at})") for at in (3.2, 4.1)
    )
    browser.drag((first, 250), (last, 250))
    browser.wait_for(f"{axis}.range[0] > 3 && {axis}.range[1] < 5")
    browser.hover(((2 * first + last) / 3, 250))
    time.sleep(0.5)  # what is hovered over comes when the page likes
    browser.screenshot(str(directory / "plot-html-zoomed.png"))
    for name in ("plot-html.png", "plot-html-zoomed.png"):
        shrink(directory / name)
    outside = [
        url for url in browser.requests if not url.startswith(("file:", "data:", "blob:", "about:"))
    ]
    assert not outside, f"the page asked for {outside}"


def shrink(path: Path) -> None:
    """Write a PNG with 256 colours, which is enough for lines and text."""
    image = (
        Image.open(path)
        .convert("RGB")
        .quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    )
    image.save(path, optimize=True)


def terminal(board: ScriptedBoard, root: str, path: Path) -> None:
    """Keep a screen of fastnvmetrics top after some seconds of changing loads."""
    socket = f"fastnvmetrics-pictures-{os.getpid()}"
    tmux = ["tmux", "-L", socket]
    command = f"exec {sys.executable} -m fastnvmetrics top --root {root}"
    subprocess.run(
        [*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "34", command],
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    try:
        for load in (0.1, 0.3, 0.95, 0.97, 0.7, 0.4, 0.8, 0.95, 0.6, 0.2, 0.1, 0.5, 0.9, 0.95) * 2:
            board.loads.gpu, board.loads.emc = load, 0.1 + 0.6 * load
            board.loads.cores = {0: load, 1: 0.8 * load, 4: 0.9, 5: 0.4 * load, 9: 0.3}
            time.sleep(1)
        screen = subprocess.run(
            [*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True
        ).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    path.write_text(screen.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
