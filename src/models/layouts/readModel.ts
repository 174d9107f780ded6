// Reads a model from its files, whichever format they have.
import { PipiloError } from '../../base/index.ts'
import type { ModelFiles } from '../files.ts'
import { contentOf, findCheckpoint, isCheckpoint } from '../formats/checkpoint.ts'
import { fileEnding } from '../model/precisions.ts'
import { readFolder } from './folder.ts'
import type { FoundModel, ReadOptions } from './foundModel.ts'
import { checkFileWord, findOnnx, findOnnxTowers } from './onnxFiles.ts'
import { readOnnxModel, readTowerFiles } from './onnxModel.ts'
import { checkSize, refuseOtherSize } from './pictureSize.ts'
import { firstPresent } from './textLayout.ts'
import { isTfjs, readTfjs } from './tfjsModel.ts'

/**
 * Reads a model from its files, whichever format they have: an `.onnx` file; a checkpoint (safetensors or what `torch.save`
 * wrote) in the layout of sentence-transformers, transformers or timm, or `onnx/model.onnx` there; a TensorFlow.js model.
 *
 * @throws PipiloError `MODEL_INVALID`, `FORMAT_UNSUPPORTED`, those of the formats, and `OPTION_INVALID` for a size of pictures that
 * the model does not take
 */
export async function readModel(files: ModelFiles, options: ReadOptions = {}): Promise<FoundModel> {
  checkSize(options.size)
  const found = await readFormat(files, options)
  refuseOtherSize(files.label, options.size, found.card.image?.size)
  return found
}

async function readFormat(files: ModelFiles, options: ReadOptions): Promise<FoundModel> {
  const { file } = files
  const { dtype } = options
  checkFileWord(files, dtype)
  if (file?.endsWith('.onnx')) return readOnnxModel(files, file, options)
  if (file !== undefined && isCheckpoint(file)) return readFolder(files, options, file)
  if (file !== undefined && (await isTfjs(files, file))) return readTfjs(files, file)
  if (file !== undefined && (await files.open(file, contentOf))) return readFolder(files, options, file)
  if (file !== undefined) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${files.label} is no model that Pipilo reads.`, {
      input: files.label,
      hint: 'It reads .onnx, checkpoints (safetensors and what torch.save writes, of any ending), TensorFlow.js models, and folders of these.',
    })
  }
  const names = await files.list('')
  if (names.includes('modules.json') || names.includes('config.json')) return readFolder(files, options)
  const tfjs = await firstPresent(files, ['model.json', 'model.min.js', 'dist/model.json'])
  if (tfjs && fileEnding(dtype) === undefined) return readTfjs(files, tfjs)
  const towers = await findOnnxTowers(files, dtype)
  if (towers) return readTowerFiles(files, towers, options)
  const onnx = await findOnnx(files, '', names, dtype)
  if (onnx) return readOnnxModel(files, onnx, options)
  if (names.some(isCheckpoint) || (await findCheckpoint(files, names)) !== undefined)
    return readFolder(files, options)
  throw new PipiloError('MODEL_INVALID', `${files.label} holds no model that Pipilo reads.`, {
    input: files.label,
    hint: 'It looks for modules.json or config.json (transformers), model.json (TensorFlow.js), or one .onnx file.',
  })
}
