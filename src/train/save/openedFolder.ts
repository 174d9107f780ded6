/** Writes a network of pictures that was opened from a folder, with other weights. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { type Model, writeSafetensors } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { isFile, readJson } from './files.ts'

type Json = Readonly<Record<string, unknown>>

/** True of a model whose folder says what it is: it can be written again. */
export async function isWritable({ folder, opened, places }: Model): Promise<boolean> {
  // A graph that is read as it is may lie beside the configuration of another form of it.
  if (places === undefined) return false
  // A card or an architecture of the caller's own would not be in the folder.
  const isSaid = opened.changed || opened.card !== undefined || opened.architecture !== undefined
  if (folder === undefined || isSaid || !(await isFile(join(folder, 'config.json')))) return false
  // Only timm's configuration says the size of the pictures in one place.
  return opened.size === undefined || isTimm(await readJson(join(folder, 'config.json')))
}

/**
 * Writes the configuration that the model was opened with, and the weights: `open(folder)` reads them, and so does the library that the
 * configuration is of.
 *
 * @throws `WRITE_FAILED`
 */
export async function writeOpenedFolder(
  folder: string,
  { model, weights }: { readonly model: Model; readonly weights: ReadonlyMap<string, Tensor> },
): Promise<void> {
  const from = model.folder!
  const config = atSize(await readJson(join(from, 'config.json')), model)
  await makeFolder(folder)
  await writeSafetensors(join(folder, 'model.safetensors'), weights, new Map([['format', 'pt']]))
  const preprocessor = 'preprocessor_config.json'
  if (await isFile(join(from, preprocessor))) {
    await copyFile(join(from, preprocessor), join(folder, preprocessor)).catch((error: unknown) => {
      throw fileError(error, join(folder, preprocessor), 'write')
    })
  }
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
}

const isTimm = ({ pretrained_cfg }: Json) => typeof pretrained_cfg === 'object' && pretrained_cfg !== null

function atSize(config: Json, { opened: { size }, card }: Model): Json {
  if (!size) return config
  const { pretrained_cfg, model_args } = config as { pretrained_cfg: Json; model_args?: Json }
  const args = model_args && 'img_size' in model_args ? { model_args: { ...model_args, img_size: size } } : {}
  const input_size = [card.image?.channels ?? 3, ...size]
  return { ...config, ...args, pretrained_cfg: { ...pretrained_cfg, input_size } }
}
