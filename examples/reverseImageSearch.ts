/**
 * Reverse image search: the pictures of a folder that look like a given one, best first. Without arguments: an emoji by Twemoji's
 * artist, looked for among Noto's.
 *
 *     npx tsx reverseImageSearch.ts [FOLDER PICTURE]      # in examples/, after npm ci
 */
import { pathToFileURL } from 'node:url'
import { connect, embedder, type Hit, type Input, indexFiles, PipiloError } from 'pipilo'
import { emoji } from './emoji.ts'

/** Search of a folder of pictures: a second run embeds only what is new. */
export async function searchFolder(folder: string, picture: Input, db = '.pipilo'): Promise<Hit[]> {
  await using e = await embedder('mobilenet-v2-whitened')
  const store = await connect(db)
  const pictures = await store.collection('pictures', { embedder: e })
  await indexFiles([folder], { embedder: e, collection: pictures, only: 'image' })
  const hits = await pictures.search({ image: picture }, { k: 5 })
  await store.close()
  return hits
}

/** The same with pictures in memory: rows are whatever you have, with an id and metadata. */
export async function searchEmoji(drawn: string, among: number, db = '.pipilo'): Promise<Hit[]> {
  await using e = await embedder('mobilenet-v2-whitened')
  const store = await connect(db)
  const pictures = await store.collection('emoji', { embedder: e })
  const artists = emoji('noto')
    .filter(({ name }) => !name.includes('skin-tone'))
    .slice(0, among)
  const { vectors } = await e.embed(artists.map(({ svg }) => svg))
  await pictures.upsert(vectors.map((vector, i) => ({ id: artists[i]!.name, vector })))
  const other = emoji('twemoji').find(({ name }) => name === drawn)!
  const hits = await pictures.search({ image: other.svg }, { k: 5 })
  await store.close()
  return hits
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [folder, picture] = process.argv.slice(2)
  if (folder && !picture) {
    console.error('Name a folder of pictures, and the picture to look for.')
    process.exit(2)
  }
  try {
    const hits = folder ? await searchFolder(folder, picture!) : await searchEmoji('avocado', 400)
    for (const { id, score } of hits) console.log(score.toFixed(3), id)
  } catch (error) {
    // Its message says which file is missing, or is no picture, and what to do.
    if (!(error instanceof PipiloError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
