export { NpyWriter, type NpyWriterOptions, readNpy, writeNpy } from './npyFile.ts'
