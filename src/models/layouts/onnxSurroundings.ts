// Reads the files around an ONNX file that say how it is used.
import { type ModelFiles, readJsonObject } from '../files.ts'
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
  return { config: path === undefined ? {} : await readJsonObject(files, path), preprocessor }
}
