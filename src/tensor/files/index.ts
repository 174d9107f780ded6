// Second door of tensor/: `.npy` files.
export { NpyWriter, type NpyWriterOptions, readNpy, writeNpy } from './npyFile.ts'
