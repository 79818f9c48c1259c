"""The first version of what people are asked to agree to. An institution adds its own as the next version."""

from django.db import migrations

PROCTORING = """\
While you sit a proctored exam, your camera and your microphone are on, and your browser reports what happens in it. \
This text says what is recorded, why, for how long, and who sees it.

What is recorded. Pictures from your camera and sound from your microphone. A computer works out facts from them, for \
example how many faces are in the picture, which way the head is turned, or whether a phone is to be seen. Your browser \
reports events such as changing the tab, leaving full screen, copying and pasting. Of keyboard and mouse it reports only \
how much they are used, never what you type. The code you hand in and the times of your session are kept as well.

What is kept. Most pictures and sounds are examined and then deleted. Kept are the facts worked out from them, and \
single pictures or short pieces of sound from moments that the rules of your exam call suspicious.

Why. So that people can check that the exam was fair to everybody. The computer only points to moments that a person \
should look at; it does not decide, and no score fails anybody by itself. A person looks, decides and writes down the \
reason. You can see the outcome and the evidence that counted, and you can appeal.

For how long. As long as your institution's rules say. Your institution tells you how long that is.

Who sees it. The reviewers and teachers of your exam, and the administrators of this system at your institution. It is \
recorded for the purpose named above and for no other.

Your rights. Agreeing is your choice, but a proctored exam cannot be started without it; if you do not want to agree, ask \
your institution for another way to sit the exam. You can withdraw at any time; from then on no new session can begin. \
What was recorded before stays under your institution's rules. You can ask your institution what it holds about you, and \
ask it to correct or delete it."""

PROCTORING_BN = """\
তদারকির (প্রক্টরিং) আওতায় পরীক্ষা দেওয়ার সময় আপনার ক্যামেরা ও মাইক্রোফোন চালু থাকে, আর ব্রাউজারে কী ঘটছে তা আপনার \
ব্রাউজার জানায়। কী রেকর্ড করা হয়, কেন, কতদিন রাখা হয় এবং কারা তা দেখতে পান, এখানে তা বলা হলো।

কী রেকর্ড করা হয়। ক্যামেরার ছবি ও মাইক্রোফোনের শব্দ। কম্পিউটার এগুলো থেকে কিছু তথ্য বের করে, যেমন ছবিতে কয়টি মুখ \
আছে, মাথা কোন দিকে ঘোরানো, কিংবা কোনো ফোন দেখা যাচ্ছে কি না। ব্রাউজার কিছু ঘটনা জানায়, যেমন অন্য ট্যাবে যাওয়া, ফুল \
স্ক্রিন থেকে বেরিয়ে আসা, কপি ও পেস্ট করা। কিবোর্ড ও মাউস কতটা ব্যবহার হয়েছে, শুধু সেটুকুই জানানো হয়; আপনি কী টাইপ \
করছেন তা কখনোই নয়। আপনার জমা দেওয়া কোড এবং আপনার সেশনের সময়ের তথ্যও রাখা হয়।

কী রেখে দেওয়া হয়। বেশিরভাগ ছবি ও শব্দ যাচাই করার পর মুছে ফেলা হয়। রেখে দেওয়া হয় সেগুলো থেকে পাওয়া তথ্য, আর \
আপনার পরীক্ষার নিয়ম অনুযায়ী যেসব মুহূর্ত সন্দেহজনক বলে ধরা হয়, সেসব মুহূর্তের একক ছবি বা শব্দের ছোট অংশ।

কেন। যেন মানুষ যাচাই করতে পারেন যে পরীক্ষাটি সবার জন্য ন্যায্য ছিল। কোন মুহূর্তগুলো একজন মানুষের দেখা দরকার, \
কম্পিউটার শুধু তা দেখিয়ে দেয়; সিদ্ধান্ত নেয় না, আর শুধু স্কোরের কারণে কেউ অকৃতকার্য হন না। একজন মানুষ দেখেন, \
সিদ্ধান্ত নেন এবং তার কারণ লিখে রাখেন। পর্যালোচনার ফল এবং যেসব প্রমাণ বিবেচনায় নেওয়া হয়েছে, সেগুলো আপনি দেখতে \
পারেন এবং আপিল করতে পারেন।

কতদিন। আপনার প্রতিষ্ঠানের নিয়মে যতদিন বলা আছে, ততদিন। সেটি কতদিন, আপনার প্রতিষ্ঠান তা আপনাকে জানাবে।

কারা দেখতে পান। আপনার পরীক্ষার পর্যালোচক ও শিক্ষকেরা এবং আপনার প্রতিষ্ঠানে এই সিস্টেমের প্রশাসকেরা। ওপরে বলা উদ্দেশ্য \
ছাড়া অন্য কোনো উদ্দেশ্যে এসব রেকর্ড করা হয় না।

আপনার অধিকার। সম্মতি দেওয়া বা না দেওয়া আপনার ইচ্ছা, তবে সম্মতি ছাড়া তদারকির আওতায় থাকা পরীক্ষা শুরু করা যায় না। \
সম্মতি দিতে না চাইলে অন্য কোনো উপায়ে পরীক্ষা দেওয়ার ব্যবস্থার জন্য আপনার প্রতিষ্ঠানকে বলুন। যেকোনো সময় সম্মতি \
প্রত্যাহার করতে পারেন; এরপর নতুন কোনো সেশন শুরু করা যাবে না। আগে যা রেকর্ড হয়েছে, তা আপনার প্রতিষ্ঠানের নিয়ম \
অনুযায়ী থাকবে। আপনার সম্পর্কে কী রাখা আছে, আপনার প্রতিষ্ঠানের কাছে তা জানতে চাইতে পারেন এবং তা সংশোধন করতে বা মুছে \
ফেলতে অনুরোধ করতে পারেন।"""

FACE = """\
If you agree, you can sign in with your face instead of your password. Nobody has to: the password stays, and signing in \
with it is always enough.

What is recorded. From a picture that you give, a computer works out a list of numbers that describes your face. Only \
these numbers are stored, encrypted, with the date and with notes on how clear the picture was. The picture itself is not \
kept. When you sign in by face, new pictures are compared with the numbers and are not kept either. The time, the network \
address and the result of each attempt are written down.

Why. To check that it is you who signs in and, in exams that ask for it, that it is you who sits the exam.

For how long. Until you remove your face or withdraw this consent; otherwise as long as your institution's rules say. The \
record of attempts is kept as long as these rules say.

Who sees it. Nobody is shown the numbers. The administrators of this system at your institution see that a face is \
stored, and the record of attempts.

Your rights. You can remove your face or withdraw at any time; the numbers are then deleted at once, and you sign in with \
your password as before. You can ask your institution what it holds about you, and ask it to correct or delete it."""

FACE_BN = """\
আপনি সম্মতি দিলে পাসওয়ার্ডের বদলে মুখ দেখিয়ে সাইন ইন করতে পারবেন। এটি বাধ্যতামূলক নয়: পাসওয়ার্ড আগের মতোই থাকবে, \
এবং পাসওয়ার্ড দিয়ে সাইন ইন করাই সব সময় যথেষ্ট।

কী রেকর্ড করা হয়। আপনার দেওয়া একটি ছবি থেকে কম্পিউটার কিছু সংখ্যার একটি তালিকা তৈরি করে, যা আপনার মুখের বর্ণনা \
দেয়। শুধু এই সংখ্যাগুলো এনক্রিপ্ট করে রাখা হয়, সঙ্গে থাকে তারিখ এবং ছবিটি কতটা স্পষ্ট ছিল সেই তথ্য। ছবিটি রেখে \
দেওয়া হয় না। মুখ দেখিয়ে সাইন ইন করার সময় নতুন ছবি এই সংখ্যাগুলোর সঙ্গে মিলিয়ে দেখা হয়; সেই ছবিও রেখে দেওয়া হয় \
না। প্রতিটি চেষ্টার সময়, নেটওয়ার্ক ঠিকানা ও ফল লিখে রাখা হয়।

কেন। আপনিই যে সাইন ইন করছেন তা যাচাই করতে, এবং যেসব পরীক্ষায় প্রয়োজন সেখানে আপনিই যে পরীক্ষা দিচ্ছেন তা যাচাই করতে।

কতদিন। যতদিন না আপনি আপনার মুখের তথ্য মুছে ফেলেন বা এই সম্মতি প্রত্যাহার করেন; তা না হলে আপনার প্রতিষ্ঠানের নিয়মে \
যতদিন বলা আছে, ততদিন। চেষ্টার রেকর্ডও সেই নিয়মে বলা সময় পর্যন্ত রাখা হয়।

কারা দেখতে পান। সংখ্যাগুলো কাউকে দেখানো হয় না। আপনার মুখের তথ্য যে রাখা আছে তা এবং চেষ্টার রেকর্ড আপনার প্রতিষ্ঠানে \
এই সিস্টেমের প্রশাসকেরা দেখতে পান।

আপনার অধিকার। যেকোনো সময় আপনার মুখের তথ্য মুছে ফেলতে বা সম্মতি প্রত্যাহার করতে পারেন; সংখ্যাগুলো তখনই মুছে ফেলা হয়, \
আর আপনি আগের মতো পাসওয়ার্ড দিয়ে সাইন ইন করেন। আপনার সম্পর্কে কী রাখা আছে, আপনার প্রতিষ্ঠানের কাছে তা জানতে চাইতে \
পারেন এবং তা সংশোধন করতে বা মুছে ফেলতে অনুরোধ করতে পারেন।"""

TEXTS = {
    "proctoring": ("Being watched during an exam", PROCTORING, "পরীক্ষার সময় পর্যবেক্ষণ", PROCTORING_BN),
    "face": ("Being recognised by your face", FACE, "মুখ দেখে আপনাকে শনাক্ত করা", FACE_BN),
}


def publish(apps, schema_editor):
    """Publish the first versions; going back leaves them, since people may have agreed to them."""
    ConsentText = apps.get_model("accounts", "ConsentText")
    for purpose, (title, text, title_bn, text_bn) in TEXTS.items():
        values = {"title": title, "text": text, "title_bn": title_bn, "text_bn": text_bn}
        ConsentText.objects.get_or_create(purpose=purpose, version=1, defaults=values)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_people")]
    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
