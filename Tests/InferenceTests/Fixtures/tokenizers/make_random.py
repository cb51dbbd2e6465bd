"""Writes random small tokenizers with the ids that the libraries give random texts, a JSON line each.

Usage: make_random.py COUNT SEED [--folder | --chat]; needs tokenizers 0.23 and, with an option, transformers 5.24, which
then reads a random tokenizer_config.json and special_tokens_map.json beside each tokenizer.json, or renders chats with
the templates of ../chat-templates.json and markers of any kind.
"""
import json, os, random, sys, tempfile
from tokenizers import Tokenizer

def b2u():
    bs=list(range(33,127))+list(range(161,173))+list(range(174,256)); cs=bs[:]; n=0
    for b in range(256):
        if b not in bs: bs.append(b); cs.append(256+n); n+=1
    return {b:chr(c) for b,c in zip(bs,cs)}
B=b2u()
QWEN=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA=QWEN.replace(r"\p{N}|",r"\p{N}{1,3}|",1)
def make(r):
    byte=r.random()<.6
    alphabet=r.sample(["a","b","c","A","1","2"," ","\n","<",">","é","e","\u0301","▁","日","한","\u1100","\u1161","\u11a8","|","_","\u10041","\t","'","s","ı","\u00a0","\u3000","-","Å","\u212b"],r.randint(4,14))
    if r.random()<.7: alphabet+=["a","b"," "]
    alphabet=list(dict.fromkeys(alphabet))
    names=[]
    if byte:
        bs=sorted({b for c in alphabet for b in c.encode()}|({32} if r.random()<.8 else set()))
        if r.random()<.3: bs=[b for b in bs if r.random()<.85] or [97]
        if r.random()<.1: bs=list(range(256))
        base=[B[b] for b in bs]
    else:
        base=[("▁" if c==" " else c) for c in alphabet]
        base=list(dict.fromkeys(base))
        if r.random()<.2: base.append(" ")
        if r.random()<.3: base=[b for b in base if r.random()<.8] or ["a"]
    names=list(base)
    if r.random()<.5: names.insert(r.randint(0,len(names)),"<unk>")
    merges=[]
    fb=r.random()<(.15 if byte else .6)
    if fb:
        which=range(256) if r.random()<.5 else r.sample(range(256),200)
        if r.random()<.5: which=sorted({b for c in alphabet for b in c.encode()})
        names+= ["<0x%02X>"%b for b in which]
    pool=list(base)
    if r.random()<.1 and "<unk>" in names: pool.append("<unk>")
    for _ in range(r.randint(0,14)):
        a,b=r.choice(pool),r.choice(pool)
        merges.append([a,b])
        if a+b not in names: names.append(a+b)
        pool.append(a+b)
        if r.random()<.08: merges.append(r.choice(merges))
    ids=list(range(len(names)))
    if r.random()<.2: r.shuffle(ids)
    if r.random()<.05: ids=[i+r.choice([0,0,3]) if i==len(names)-1 else i for i in ids]
    vocab=dict(zip(names,ids))
    added=[]
    words=["<x>","<y>","<xy>","ab","a b"," ","  ","\n","zed","bc","abc","<|im_end|>","é","e\u0301","Å","▁","▁▁","a","x>","<x","<unk>","한","가","日","\u1100\u1161","b "," b","aa","_","<x> ","▁ab","\u00a0","c","bb","\u212b",""]
    for i in range(r.choice([0,1,2,3,4,6])):
        w=r.choice(words) if r.random()<.85 else r.choice(names)
        sp=r.random()<.5
        added.append(dict(id=vocab.get(w,len(vocab)+i) if r.random()<.9 else 900+i,content=w,single_word=r.random()<.2,lstrip=r.random()<.3,rstrip=r.random()<.3,normalized=r.random()<.45,special=sp))
        if r.random()<.08: added.append(dict(added[-1],rstrip=not added[-1]["rstrip"]))
        if r.random()<.05: added.append(dict(added[-1],special=not added[-1]["special"]))
        if r.random()<.05: added.append(dict(added[-1],normalized=not added[-1]["normalized"]))
    steps=[]
    if byte:
        if r.random()<.4: steps.append({"type":"NFC"})
        if r.random()<.1: steps.append({"type":"Prepend","prepend":r.choice(["▁"," ","a"])})
        if r.random()<.1: steps.append({"type":"Replace","pattern":{"String":r.choice([" ","ab","aa","\n"])},"content":r.choice(["","▁","a","aa"," "])})
        k=r.random(); BL={"type":"ByteLevel","add_prefix_space":False,"trim_offsets":r.random()<.5,"use_regex":True}
        if k<.25:
            pre=dict(BL,add_prefix_space=r.random()<.3,use_regex=r.random()<.85)
        elif k<.5: pre={"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":True},BL]}
        else:
            pre={"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":r.choice([QWEN,LLAMA])},"behavior":"Isolated","invert":r.random()<.2},dict(BL,use_regex=False)]}
            if r.random()<.2: pre["pretokenizers"][0].update(behavior="Removed",invert=True)
        dec={"type":"ByteLevel","add_prefix_space":True,"trim_offsets":True,"use_regex":True} if r.random()<.9 else None
    else:
        dec=None; k=r.random()
        if r.random()<.2: steps.append({"type":"NFC"})
        if k<.35:
            if r.random()<.5: steps.append({"type":"Prepend","prepend":r.choice(["▁","▁"," "])})
            steps.append({"type":"Replace","pattern":{"String":" "},"content":"▁"}); pre=None
            if r.random()<.3: pre={"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":False}
        else:
            pre={"type":"Metaspace","replacement":"▁","prepend_scheme":r.choice(["never","first","always"]),"split":r.random()<.5}
            if r.random()<.2: steps.append({"type":"Replace","pattern":{"String":" "},"content":"▁"})
            if r.random()<.1: del pre["split"]
    norm=None if not steps else steps[0] if len(steps)==1 and r.random()<.5 else {"type":"Sequence","normalizers":steps}
    model={"type":"BPE","dropout":None,"unk_token":"<unk>" if "<unk>" in names and r.random()<.8 else None,"continuing_subword_prefix":None,"end_of_word_suffix":None,"fuse_unk":r.random()<.5,"byte_fallback":fb,"ignore_merges":r.random()<.3,"vocab":vocab,"merges":merges if r.random()<.6 or any(" " in x for m in merges for x in m) else [" ".join(m) for m in merges]}
    d={"version":"1.0","truncation":None,"padding":None,"added_tokens":added,"normalizer":norm,"pre_tokenizer":pre,"post_processor":None,"decoder":dec,"model":model}
    texts=[]
    parts=alphabet+[w for w in words if w]+[a["content"] for a in added]*2+[" ","  "," "]
    for _ in range(4): texts.append("".join(r.choice(parts) for _ in range(r.randint(1,14))))
    return d,texts
def beside(r, d):
    """Random files beside tokenizer.json."""
    def flags(c):
        k=r.random()
        if k<.5: return c
        a=dict(content=c,lstrip=r.random()<.3,rstrip=r.random()<.3,normalized=r.random()<.3,single_word=r.random()<.2)
        if r.random()<.5: a["special"]=r.random()<.6
        return dict(a,__type="AddedToken")
    words=["<x>","<y>","<z>","ab","<unk>","b","zed"]+[a["content"] for a in d["added_tokens"] if a["content"]]
    files={}; config={"tokenizer_class":"PreTrainedTokenizerFast"}
    for n in ["bos_token","eos_token","pad_token","unk_token","image_token"]:
        if r.random()<.3: config[n]=r.choice([None,flags(r.choice(words))])
    if r.random()<.3: config["additional_special_tokens"]=[flags(r.choice(words)) for _ in range(r.randint(0,3))]
    if r.random()<.1: config["extra_special_tokens"]=r.choice([["<e>"],[],{"a_token":"<y>"}])
    if r.random()<.4:
        config["added_tokens_decoder"]={str(r.randint(0,40)):dict(content=r.choice(words),lstrip=r.random()<.3,rstrip=r.random()<.3,normalized=r.random()<.3,single_word=r.random()<.2,special=r.random()<.6) for _ in range(r.randint(0,3))}
    if r.random()<.2: config["add_bos_token"]=r.random()<.5
    if r.random()<.9: files["tokenizer_config.json"]=json.dumps(config)
    if r.random()<.4:
        m={n:r.choice([r.choice(words),dict(content=r.choice(words),lstrip=r.random()<.3,rstrip=r.random()<.3,normalized=r.random()<.3,single_word=False)]) for n in ["bos_token","eos_token","pad_token"] if r.random()<.5}
        if r.random()<.3: m["additional_special_tokens"]=[r.choice(words) for _ in range(2)]
        files["special_tokens_map.json"]=json.dumps(m)
    if r.random()<.1: files["added_tokens.json"]=json.dumps({r.choice(words):30,"<q>":31})
    return files
def sample(seed, folder):
    r=random.Random(seed); d,texts=make(r); files=beside(r,d) if folder else {}
    files["tokenizer.json"]=json.dumps(d,ensure_ascii=False)
    texts+=["".join(r.choice(["<x>","<y>","<z>"," ","ab","b","zed","<q>","<e>"]) for _ in range(8))] if folder else []
    try:
        if folder:
            from transformers import AutoTokenizer
            with tempfile.TemporaryDirectory() as f:
                for n,text in files.items(): open(f+"/"+n,"w").write(text)
                t=AutoTokenizer.from_pretrained(f)._tokenizer
        else: t=Tokenizer.from_str(files["tokenizer.json"])
    except BaseException as e:
        return dict(seed=seed,files=files,isRead=False,texts=[])
    def ids(text,plain):
        t.encode_special_tokens=plain
        try: return t.encode(text,add_special_tokens=False).ids
        except BaseException: return None
    return dict(seed=seed,files=files,isRead=True,texts=[dict(text=x,plain=ids(x,True),special=ids(x,False)) for x in texts])
def chat(seed):
    from transformers import AutoTokenizer
    r=random.Random(seed); d,_=make(r)
    here=os.path.dirname(os.path.abspath(__file__))
    t=r.choice([t for t in json.load(open(here+"/../chat-templates.json")) if "strftime_now" not in t["template"]])
    byte=[B[b] for b in range(256)]
    names=byte+["<unk>"]; merges=[]
    pool=["<","|","i","m","_","s","u","e","r","\u010a","\u0120","H",">","n","d","t"]
    for _ in range(20):
        m=[r.choice(pool),r.choice(pool)]; merges.append(m); pool.append("".join(m))
        if "".join(m) not in names: names.append("".join(m))
    marks=["<|im_start|>","<|im_end|>","<start_of_turn>","<end_of_turn>","<bos>","<|begin_of_text|>","<|start_header_id|>","<|end_header_id|>","<|eot_id|>","<think>","</think>"]
    added=[dict(id=0,content=m,lstrip=r.random()<.2,rstrip=r.random()<.2,single_word=r.random()<.1,normalized=r.random()<.2,special=r.random()<.8) for m in marks if r.random()<.6]
    d=dict(d,added_tokens=added,decoder={"type":"ByteLevel","add_prefix_space":True,"trim_offsets":True,"use_regex":True},normalizer=r.choice([None,{"type":"NFC"}]),
        pre_tokenizer={"type":"ByteLevel","add_prefix_space":False,"trim_offsets":True,"use_regex":r.random()<.7},
        model=dict(d["model"],vocab={n:i for i,n in enumerate(names)},merges=merges,unk_token=None,byte_fallback=False))
    config={"tokenizer_class":"PreTrainedTokenizerFast"}
    if r.random()<.7: config["bos_token"]=r.choice([None,"<bos>","<|begin_of_text|>","<s>"])
    text=t["template"]
    if r.random()<.3: text=text.replace("\n","\r\n")
    elif r.random()<.1: text=text.replace("\n","\r")
    files={"tokenizer.json":json.dumps(d,ensure_ascii=False)}
    if r.random()<.5: files["chat_template.jinja"]=text
    else: config["chat_template"]=r.choice([text,[{"name":"tool_use","template":"{{ x }}"},{"name":"default","template":text}],{"default":text}])
    files["tokenizer_config.json"]=json.dumps(config,ensure_ascii=False)
    words=["Hi","the end"," ","\n","e\u0301","<","|","x"," H","im","1","\u65e5","\t"]
    chats=[]
    with tempfile.TemporaryDirectory() as f:
        for n,x in files.items(): open(f+"/"+n,"w",newline="").write(x)
        a=AutoTokenizer.from_pretrained(f)
        for _ in range(3):
            messages=[dict(role=["user","assistant"][i%2],content="".join(r.choice(words) for _ in range(r.randint(0,6)))) for i in range(r.choice([1,1,2,3]))]
            try: ids=a.apply_chat_template(messages,add_generation_prompt=True,tokenize=True,return_dict=False)
            except BaseException as e: ids=None
            chats.append(dict(messages=messages,ids=ids))
    return dict(seed=seed,files=files,isRead=True,texts=[],chats=chats)
if __name__=="__main__":
    count,seed=int(sys.argv[1]),int(sys.argv[2])
    for n in range(seed,seed+count):
        print(json.dumps(chat(n) if "--chat" in sys.argv else sample(n,"--folder" in sys.argv),ensure_ascii=False))
