"""What a language model asks of a board, as a script: weights are loaded, then prompts answered
token by token.
"""

from __future__ import annotations

import time

from board import Loads, ScriptedBoard

import fastnvmetrics as fm

__all__ = ["record"]


def record(path: str, board: ScriptedBoard, root: str) -> None:
    """Record the whole of it, about ten seconds."""
    time.sleep(0.2)  # until the board stands at its first loads
    with fm.NVMetrics(path, board=fm.detect_board(root=root), metadata=True, realtime=True) as nv:
        time.sleep(0.6)
        with nv.phase("load model"):
            _load_model(nv, board)
        nv.sync("ready")
        time.sleep(0.5)
        for tokens in (26, 16, 34):
            with nv.phase("request"):
                _answer(nv, board, tokens)
            _ask(board, gpu=0.02, emc=0.04)
            time.sleep(0.55)


def _load_model(nv: fm.NVMetrics, board: ScriptedBoard) -> None:
    with nv.phase("read"):
        _ask(board, gpu=0.02, emc=0.22, cores={0: 0.85, 1: 0.9, 2: 0.35})
        for _ in range(24):
            board.loads.ram_gib += 0.26
            time.sleep(0.05)
    with nv.phase("upload"):
        _ask(board, gpu=0.24, emc=0.6, cores={0: 0.5, 4: 0.7, 5: 0.65, 6: 0.3})
        time.sleep(0.6)
    _ask(board, gpu=0.02, emc=0.04)


def _answer(nv: fm.NVMetrics, board: ScriptedBoard, tokens: int) -> None:
    with nv.phase("prefill"):
        _ask(board, gpu=0.98, emc=0.42, cores={0: 0.35, 1: 0.2})
        board.loads.ram_gib += 0.15
        time.sleep(0.3 + 0.012 * tokens)
    with nv.phase("decode"):
        for _ in range(tokens):
            with nv.phase("token"):
                _ask(board, gpu=0.71, emc=0.86, cores={0: 0.7, 1: 0.3, 8: 0.2})
                time.sleep(0.032)
                # The next one is chosen on the CPU.
                _ask(board, gpu=0.3, emc=0.5, cores={0: 0.95, 1: 0.8, 8: 0.6, 9: 0.5})
                time.sleep(0.012)
            board.loads.ram_gib += 0.004


def _ask(
    board: ScriptedBoard, gpu: float, emc: float, cores: dict[int, float] | None = None
) -> None:
    board.loads = Loads(gpu, emc, cores or {}, board.loads.ram_gib)
