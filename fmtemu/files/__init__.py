"""Files of named arrays, read and written in pieces: .npy, .npz and .safetensors."""
