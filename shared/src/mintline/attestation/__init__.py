"""Attestation documents of AWS Nitro Enclaves: made, read, and verified.

https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html and the attestation process described in
https://github.com/aws/aws-nitro-enclaves-nsm-api/blob/main/docs/attestation_process.md
"""
