"""Definitions in torch of every network the project trains or converts (extra `train`).

At run time networks are ONNX files; this package is imported by tools, by tests, and once by the adapters of
`tertulia.embedding` when they convert a published checkpoint.
"""
