// Files of the pictures that rows of collections are of.
import { join } from 'node:path'
import type { Collection } from '../../store/index.ts'
import { fileBelow } from './uploads.ts'

/** The file of a row's picture that a stored path names; undefined where there is none that may be shown. */
export type PictureOf = (collection: Collection, path: string) => Promise<string | undefined>

/** @param files folder of pictures that may be shown beside those uploaded */
export const picturesBelow =
  (uploads: string, files: string | undefined): PictureOf =>
  async (collection, path) =>
    fileBelow(
      [join(uploads, collection.name), ...(files === undefined ? [] : [files])],
      path,
      (await collection.filesMemory())?.root,
    )
