/** Two agents haggle over a price, message by message, until the buyer is content. Run: node examples/dialogue/haggle.ts */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from 'a2a-node'

interface Bid { offer: number }
interface Ask { price: number, agreed: boolean }

const folder = await mkdtemp(join(tmpdir(), 'a2a-haggle-'))
const loopback = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous') }

const seller = await createAgent({ ...loopback, name: 'seller', home: join(folder, 'seller') })
await seller.onDialogue<Bid, Ask>('price.haggle', async dialogue => {
  let price = 100
  await dialogue.send({ price, agreed: false })
  for await (const { offer } of dialogue) {
    const agreed = offer >= price * 0.9
    price = agreed ? offer : Math.round((price * 2 + offer) / 3)
    await dialogue.send({ price, agreed })
  }
}, { receives: { type: 'object', required: ['offer'], properties: { offer: { type: 'number', minimum: 0 } } } })

const buyer = await createAgent({ ...loopback, name: 'buyer', home: join(folder, 'buyer') })
await buyer.node.joined()
const dialogue = await buyer.dialogue<Bid, Ask>(seller.id, 'price.haggle', { data: { item: 'a lamp' } })
let offer = 40
for await (const { price, agreed } of dialogue) {
  console.log(agreed ? `sold for ${price}` : `seller asks ${price}, buyer offers ${offer}`)
  if (agreed) {
    await dialogue.end() // Nothing more to say; the loop goes on until the seller has ended too.
  } else {
    await dialogue.send({ offer })
    offer += 10
  }
}

await buyer[Symbol.asyncDispose]()
await seller[Symbol.asyncDispose]()
await rm(folder, { recursive: true })
