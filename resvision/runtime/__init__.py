"""Bundles: exported nets that answer without torch, by OpenVINO or ONNX Runtime."""
