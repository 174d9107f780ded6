/**
 * A chat's retrieval step with the Vercel AI SDK: the model asks for passages with a tool, and answers from them. Any model of
 * the SDK will do; here one behind an OpenAI-compatible address.
 *
 *     MODEL=provider/name npx tsx chatRetrieval.ts 'Why does my stream stop?'      # by the SDK's gateway, which needs its key
 */
import { pathToFileURL } from 'node:url'
import { generateText, type LanguageModel, stepCountIs, tool } from 'ai'
import { z } from 'zod'
import { type Answer, answers, documents } from './questionAnswering.ts'

const system =
  'Answer from the passages that the tool search finds, and name their places in brackets. Say so where they do not answer.'

/** One turn of a chat over documents: the answer, and the passages that the model saw. */
export async function chat(
  model: LanguageModel,
  question: string,
  ask: (question: string) => Promise<Answer[]>,
): Promise<{ text: string; passages: Answer[] }> {
  const passages: Answer[] = []
  const search = tool({
    description: 'Finds passages of the documentation by their meaning.',
    inputSchema: z.object({ query: z.string().describe('a question or a few words') }),
    async execute({ query }) {
      const found = await ask(query)
      passages.push(...found)
      return found.map(({ place, text }) => ({ place, text }))
    },
  })
  const { text } = await generateText({
    model,
    system,
    prompt: question,
    tools: { search },
    // A search or two, then the answer.
    stopWhen: stepCountIs(4),
  })
  return { text, passages }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [question = 'Why does my stream stop after the deployment?'] = process.argv.slice(2)
  const { ask, close } = await answers(documents)
  const { text, passages } = await chat(process.env.MODEL ?? 'openai/gpt-5-mini', question, ask)
  console.log(`${text}\n\nRead: ${passages.map(({ place }) => place).join(', ')}`)
  await close()
}
