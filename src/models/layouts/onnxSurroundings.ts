// Reads the files around an ONNX file that say how it is used.
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { findPreprocessor, type PreprocessorFile } from './preprocessor.ts'
import { firstPresent } from './textLayout.ts'

/** Files around a graph that say how it is used. */
export interface Surroundings {
  /** Content of `config.json`; empty where there is none. */
  readonly config: Readonly<Record<string, unknown>>
  readonly preprocessor: PreprocessorFile | undefined
}

/** The files around an ONNX file of pictures, from its own folder or the model's. */
export async function surroundings(files: ModelFiles, file: string): Promise<Surroundings> {
  const own = file.slice(0, file.lastIndexOf('/') + 1)
  const folders = [...new Set([own, ''])]
  let preprocessor: PreprocessorFile | undefined
  for (const folder of folders) preprocessor ??= await findPreprocessor(files, folder)
  const path = await firstPresent(
    files,
    folders.map((folder) => `${folder}config.json`),
  )
  const config = path === undefined ? {} : await readJsonObject(files, path)
  if (preprocessor || isObject(config['pretrained_cfg'])) return { config, preprocessor }
  return { config: { ...config, ...(await timmWrapper(files, folders)) }, preprocessor }
}

/** The `pretrained_cfg` of a `preprocessor_config.json` of timm's models in transformers; usually it stands in `config.json`. */
async function timmWrapper(
  files: ModelFiles,
  folders: readonly string[],
): Promise<{ readonly pretrained_cfg?: unknown }> {
  const path = await firstPresent(
    files,
    folders.map((folder) => `${folder}preprocessor_config.json`),
  )
  if (path === undefined) return {}
  const { image_processor_type: type, pretrained_cfg } = await readJsonObject(files, path)
  return type === 'TimmWrapperImageProcessor' && isObject(pretrained_cfg) ? { pretrained_cfg } : {}
}
