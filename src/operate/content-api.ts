/** Transfers of content as events, for clients. */
import type { ContentEvent, NodeApi } from '../control/api.ts'
import type { ContentProgress } from '../core/content.ts'
import type { HostedNode } from '../node.ts'

export const contentApi = ({ content }: Pick<HostedNode, 'content'>): Pick<NodeApi, 'sendContent' | 'receiveContent' | 'contents' | 'dropContent'> => ({
  sendContent: ({ file, name, mediaType }) => eventsOf(async (onProgress, signal) =>
    ({ event: 'sent', ref: await content.send(file, { name, mediaType, onProgress, signal }) })),
  receiveContent: ({ ref, file }) => eventsOf(async (onProgress, signal) =>
    ({ event: 'received', ...await content.receive(ref, { file, onProgress, signal }) })),
  contents: content.list,
  dropContent: content.drop
})

/** Progress, the latest only, and in the end what came of it. Whoever leaves early aborts it. */
function eventsOf (run: (onProgress: (progress: ContentProgress) => void, signal: AbortSignal) => Promise<ContentEvent>): AsyncIterable<ContentEvent> {
  return {
    [Symbol.asyncIterator] () {
      const leaving = new AbortController()
      let progress: ContentEvent | undefined
      let news = Promise.withResolvers<void>()
      let hasEnded = false
      let isOver = false
      const end = run(latest => {
        progress = { event: 'progress', ...latest }
        news.resolve()
      }, leaving.signal)
      const ended = (): void => {
        hasEnded = true
        news.resolve()
      }
      const hasNews = (): boolean => progress !== undefined || hasEnded
      end.then(ended, ended)
      return {
        async next () {
          if (isOver) return { done: true, value: undefined }
          while (!hasNews()) {
            await news.promise
            news = Promise.withResolvers()
          }
          const value = hasEnded ? await end : progress as ContentEvent
          isOver = hasEnded
          progress = undefined
          return { done: false, value }
        },
        async return () {
          isOver = true
          leaving.abort(new Error('nobody waits for it any more'))
          return { done: true, value: undefined }
        }
      }
    }
  }
}
