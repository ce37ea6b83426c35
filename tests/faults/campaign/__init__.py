"""The campaign of faults: the long form of what tests/faults/test_campaign.py samples (`make faults`)."""
