"""Named cases, each derived from a rule of the Amazon S3 API reference.

Run it from the folder above: ``python -m conformance --endpoint URL``.
"""
