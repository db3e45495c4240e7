"""Definitions in torch of every network the project trains or converts (extra `train`).

Nothing outside `training/`, `tools/` and their tests imports this package: at run time the same networks
are ONNX files under `weights/`.
"""
