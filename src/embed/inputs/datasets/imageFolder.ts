// Reads folders of pictures by class, as torchvision's ImageFolder does.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { PipiloError, throwIfAborted } from '../../../base/index.ts'
import { displayPath, type FoundFile, findFiles } from '../inputFiles.ts'
import { contentOf, hasPictureName } from '../inputModality.ts'
import { datasetOf, hashOfRows } from './dataset.ts'
import { byCodePoint, knownClasses, type Labels } from './labels.ts'
import type { Dataset, ReadDatasetOptions, SkippedRow } from './types.ts'

/**
 * Opens a folder whose sub-folders are classes, in sorted order; pictures may lie in folders of their own below. Files are pictures by
 * their name, or without such a name by their first bytes; others, and hidden ones, are no part of it. Where columns are required and `label` is
 * none of them, pictures may lie in the folder itself: then none has a class.
 *
 * @param name of the folder in errors
 */
export async function readImageFolder(
  folder: string,
  name: string,
  options: ReadDatasetOptions,
): Promise<Dataset> {
  const loose = await loosePictures(folder)
  if (loose.length > 0 && options.requires && !options.requires.includes('label'))
    return picturesBelow(folder, name, options)
  const found = await subfolders(folder)
  if (found.length === 0) {
    throw new PipiloError('INPUT_INVALID', `${name} has no folders of pictures.`, {
      input: name,
      hint: 'A folder of pictures has a sub-folder a class: birds/owl/1.jpg, birds/towhee/1.jpg.',
    })
  }
  const classes = options.classes ?? found
  const indexOf = knownClasses(classes)
  const paths: string[] = []
  const labels: number[] = []
  const skipped: SkippedRow[] = []
  for (const folderName of found) {
    const label = indexOf(folderName, `The folder ${name}/${folderName}`)
    const before = paths.length
    for await (const path of picturesIn(join(folder, folderName), folder, options, skipped)) {
      paths.push(path)
      labels.push(label)
    }
    if (paths.length === before) throw emptyClass(name, folderName)
  }
  refuseLoose(loose, name, options, skipped)
  return ofPaths(paths, folder, name, skipped, { labels: Int32Array.from(labels), classes })
}

/** All pictures in and below a folder, without classes. */
async function picturesBelow(folder: string, name: string, options: ReadDatasetOptions): Promise<Dataset> {
  const paths: string[] = []
  const skipped: SkippedRow[] = []
  for await (const path of picturesIn(folder, folder, options, skipped)) paths.push(path)
  return ofPaths(paths, folder, name, skipped)
}

async function* picturesIn(
  from: string,
  folder: string,
  { onError, signal }: ReadDatasetOptions,
  skipped: SkippedRow[],
): AsyncGenerator<string> {
  for await (const file of findFiles(from, folder)) {
    throwIfAborted(signal)
    const error = await faultOf(file, folder)
    if (error === 'other') continue
    if (!error) yield file.path
    else if (onError === 'skip') skipped.push({ name: displayPath(file.path, folder), error })
    else throw error
  }
}

function ofPaths(
  paths: readonly string[],
  folder: string,
  name: string,
  skipped: readonly SkippedRow[],
  labels?: Labels,
): Dataset {
  const id = (index: number) => displayPath(paths[index]!, folder)
  return datasetOf({
    name,
    columns: labels ? ['id', 'image', 'label'] : ['id', 'image'],
    length: paths.length,
    ...(labels && { labels }),
    skipped,
    nameOf: id,
    read: async (indices) => Array.from(indices, (index) => ({ id: id(index), image: paths[index]! })),
    hash: hashOfRows,
  })
}

/** Names of the folders in a folder that are not hidden, through links. */
async function subfolders(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((each) => !each.startsWith('.'))
  const are = await Promise.all(names.map(async (each) => (await stat(join(folder, each))).isDirectory()))
  return names.filter((_, i) => are[i]).sort(byCodePoint)
}

/** Nothing for a picture, the error for one that cannot be read, `other` for what is none. */
async function faultOf(file: FoundFile, folder: string): Promise<PipiloError | 'other' | undefined> {
  if (file.error) return file.error
  if (hasPictureName(file.path)) {
    const shown = displayPath(file.path, folder)
    return file.size === 0 ? new PipiloError('FILE_EMPTY', `${shown} is empty.`, { input: shown }) : undefined
  }
  return file.size !== 0 && (await contentOf(file.path)) === 'image' ? undefined : 'other'
}

function emptyClass(name: string, folder: string): PipiloError {
  return new PipiloError('INPUT_INVALID', `The class ${folder} of ${name} has no pictures.`, {
    input: `${name}/${folder}`,
    hint: 'Remove the folder, or put pictures into it.',
  })
}

async function loosePictures(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((each) => !each.startsWith('.') && hasPictureName(each))
  const are = await Promise.all(names.map(async (each) => (await stat(resolve(folder, each))).isFile()))
  return names.filter((_, i) => are[i]).sort(byCodePoint)
}

/** A picture beside the folders has no class. */
function refuseLoose(
  loose: readonly string[],
  name: string,
  { onError }: ReadDatasetOptions,
  skipped: SkippedRow[],
): void {
  for (const each of loose) {
    const error = new PipiloError('INPUT_INVALID', `${each} lies in ${name} itself, and so in no class.`, {
      input: `${name}/${each}`,
      hint: 'Move it into the folder of its class.',
    })
    if (onError !== 'skip') throw error
    skipped.push({ name: each, error })
  }
}
