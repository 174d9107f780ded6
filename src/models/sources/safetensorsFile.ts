// Safetensors files on a disk.
import { streamRange, writeFileAtomic } from '../../base/files/index.ts'
import { bytesOf, type FileTensor, type Tensor } from '../../tensor/index.ts'
import { parseSafetensors, type Safetensors, safetensorsParts } from '../formats/safetensors.ts'
import { withFile } from './files.ts'

/** See `readSafetensors` in ../onDemand.ts. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return withFile(path, parseSafetensors)
}

/** See `writeSafetensors` in ../onDemand.ts. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor | FileTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const parts = safetensorsParts(tensors, metadata)
  await writeFileAtomic(path, pieces())

  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield parts.start
    for (const tensor of parts.tensors) {
      if ('file' in tensor) yield* streamRange(tensor.file)
      else yield bytesOf(tensor.data as ArrayBufferView)
    }
  }
}
