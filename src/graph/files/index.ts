// The graph's way to files: importing it is what lets the rest of the room read weights that lie in them.
import { readRangeSync, streamRange } from '../../base/files/index.ts'
import { giveFileAccess } from '../onnx/fileAccess.ts'
import { externalFile } from './externalFile.ts'

giveFileAccess({ readSync: readRangeSync, stream: streamRange, locate: externalFile })

export { readOnnx } from './readOnnx.ts'
export { type WriteOptions, writeOnnx } from './writeOnnx.ts'
