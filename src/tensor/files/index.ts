// Door of tensor/files: arrays read from `.npy` files and written to them.
export { NpyWriter, type NpyWriterOptions, readNpy, writeNpy } from './npyFile.ts'
