"""ST-VFM: backbones, adapters and the model."""
