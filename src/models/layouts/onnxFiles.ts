// Finds the ONNX files of a folder: the export in `onnx/`, by transformers.js's words, or its two towers.
import { PipiloError } from '../../base/index.ts'
import type { ModelFiles } from '../files.ts'
import { fileEnding, fileWords, type Precision } from '../model/precisions.ts'

/**
 * The ONNX file of a folder: the one that `dtype` names; else the export in `onnx/`, `model.onnx`, or the only one.
 *
 * @throws PipiloError `MODEL_INVALID` where there are several, `OPTION_INVALID` where `dtype` names a file that is not there
 */
export async function findOnnx(
  files: ModelFiles,
  folder: string,
  names: readonly string[],
  dtype?: Precision,
): Promise<string | undefined> {
  const ending = fileEnding(dtype) ?? ''
  const own = folder === '' ? '' : `${folder}/`
  const places = [...new Set([`${own}onnx/`, 'onnx/', own])]
  for (const place of places) {
    if (await files.has(`${place}model${ending}.onnx`)) return `${place}model${ending}.onnx`
  }
  const beside = names.map((name) => own + name)
  const exported = (await Promise.all(places.slice(0, -1).map((place) => listed(files, place)))).flat()
  const all = [beside, exported].map((paths) => paths.filter((path) => path.endsWith(`${ending}.onnx`)))
  const found = all.find((paths) => paths.length > 0) ?? []
  if (found.length === 1) return found[0]
  if (ending !== '') {
    throw noFile(files, dtype!, [...beside, ...exported])
  }
  if (found.length === 0) return undefined
  const words = wordsFor(found)
  throw new PipiloError('MODEL_INVALID', `${files.label} has several models: ${found.join(', ')}.`, {
    input: files.label,
    hint: `Name the one that is meant${words.length ? `, or choose with dtype: ${words.join(', ')}` : ''}.`,
  })
}

/**
 * The files of two towers, as Optimum writes CLIP and its kind: `text_model.onnx` and `vision_model.onnx`; without a word also the only pair
 * that there is, such as `text_model_quantized.onnx` and `vision_model_quantized.onnx`.
 */
export async function findOnnxTowers(
  files: ModelFiles,
  dtype?: Precision,
): Promise<{ readonly text: string; readonly image: string } | undefined> {
  const ending = fileEnding(dtype) ?? ''
  for (const place of ['onnx/', '']) {
    const [text, image] = [`${place}text_model${ending}.onnx`, `${place}vision_model${ending}.onnx`]
    if ((await files.has(text)) && (await files.has(image))) return { text, image }
  }
  if (ending !== '') return undefined
  for (const place of ['onnx/', '']) {
    const paths = await listed(files, place)
    const of = (tower: string) =>
      paths.filter((path) => path.startsWith(`${place}${tower}`) && path.endsWith('.onnx'))
    const [texts, images] = [of('text_model'), of('vision_model')]
    const [text, image] = [texts[0], images[0]]
    const isPair = texts.length === 1 && images.length === 1 && text && image
    if (isPair && text.slice(`${place}text`.length) === image.slice(`${place}vision`.length))
      return { text, image }
  }
  return undefined
}

/** Refuses a word for a file of an export where the source names another file. */
export function checkFileWord({ label, file }: ModelFiles, dtype: Precision | undefined): void {
  const ending = fileEnding(dtype)
  if (ending === undefined || file === undefined || file.endsWith(`${ending}.onnx`)) return
  throw new PipiloError(
    'OPTION_INVALID',
    `dtype '${dtype}' names a file of an ONNX export, and ${label} is another.`,
    {
      input: 'dtype',
      hint: 'Leave out dtype, or name the folder.',
    },
  )
}

async function listed(files: ModelFiles, place: string): Promise<string[]> {
  return (await files.list(place.slice(0, -1))).map((name) => place + name)
}

function noFile({ label }: ModelFiles, dtype: Precision, paths: readonly string[]): PipiloError {
  const words = wordsFor(paths)
  return new PipiloError(
    'OPTION_INVALID',
    `${label} has no one ONNX file for dtype '${dtype}', such as onnx/model${fileEnding(dtype)}.onnx.`,
    { input: 'dtype', hint: words.length ? `There is one for ${words.join(', ')}.` : 'Leave out dtype.' },
  )
}

const wordsFor = (paths: readonly string[]): string[] =>
  fileWords.filter((word) => paths.some((path) => path.endsWith(`${fileEnding(word)}.onnx`)))
