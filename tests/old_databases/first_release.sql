-- What the first release (schema 0001) stored: people, keys, and a job in every state, written by its own code.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_keys (
    id TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    name TEXT NOT NULL, 
    prefix TEXT NOT NULL, 
    key_hash TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    last_used_at FLOAT, 
    revoked_at FLOAT, 
    CONSTRAINT pk_api_keys PRIMARY KEY (id), 
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);
INSERT INTO "api_keys" VALUES('key_00000000000000000000000000000001','user_ada','ci','sgw_of-ada','700d6675a8e9e40ada3f061b8c109f207ef5a240fa7d4f1bc13d0c69bdb723fd',1800000000.0,NULL,NULL);
CREATE TABLE assets (
    job_id TEXT NOT NULL, 
    variant TEXT NOT NULL, 
    path TEXT NOT NULL, 
    media_type TEXT NOT NULL, 
    size INTEGER NOT NULL, 
    sha256 TEXT NOT NULL, 
    CONSTRAINT pk_assets PRIMARY KEY (job_id, variant), 
    CONSTRAINT ck_assets_variant CHECK (variant IN ('video', 'thumbnail', 'spritesheet')), 
    CONSTRAINT fk_assets_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "assets" VALUES('video_00000000000000000000000000000007','video','07/video_00000000000000000000000000000007/video.mp4','video/mp4',50,'df7ba77dda6e88093a7102bac9a4636ed0db81c78382b1dd1283dd1e050ec891');
INSERT INTO "assets" VALUES('video_00000000000000000000000000000007','thumbnail','07/video_00000000000000000000000000000007/thumbnail.webp','image/webp',9,'80f61f96184524ba54db767ed49487392430ad26bf5cf2ef689905f3400325d7');
INSERT INTO "assets" VALUES('video_00000000000000000000000000000007','spritesheet','07/video_00000000000000000000000000000007/spritesheet.jpg','image/jpeg',11,'041b1f342934aea1ba11e1adffa8d364dfd62f6c3e6ead719b8444881cce61bc');
CREATE TABLE attempts (
    id TEXT NOT NULL, 
    job_id TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    upstream TEXT NOT NULL, 
    sent_at FLOAT NOT NULL, 
    outcome TEXT, 
    external_id TEXT, 
    http_status INTEGER, 
    detail TEXT NOT NULL, 
    answered_at FLOAT, 
    CONSTRAINT pk_attempts PRIMARY KEY (id), 
    CONSTRAINT ck_attempts_outcome CHECK (outcome IS NULL OR outcome IN ('not_sent', 'refused_for_now', 'out_of_order', 'refused', 'receipt', 'known', 'unknown', 'adopted', 'pay_again', 'given_up')), 
    CONSTRAINT fk_attempts_job_id FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000002_1','video_00000000000000000000000000000002',1,'lab',1800000001.0,NULL,NULL,NULL,'',NULL);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000003_1','video_00000000000000000000000000000003',1,'lab',1800000001.0,'receipt','ext-processing',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000004_1','video_00000000000000000000000000000004',1,'lab',1800000001.0,'receipt','ext-storing',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000005_1','video_00000000000000000000000000000005',1,'lab',1800000001.0,NULL,NULL,NULL,'',NULL);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000006_1','video_00000000000000000000000000000006',1,'lab',1800000001.0,'receipt','ext-cancelling',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000007_1','video_00000000000000000000000000000007',1,'lab',1800000001.0,'receipt','ext-completed',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000008_1','video_00000000000000000000000000000008',1,'lab',1800000001.0,'receipt','ext-deleted',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_00000000000000000000000000000009_1','video_00000000000000000000000000000009',1,'lab',1800000001.0,NULL,NULL,NULL,'',NULL);
INSERT INTO "attempts" VALUES('attempt_video_0000000000000000000000000000000a_1','video_0000000000000000000000000000000a',1,'lab',1800000001.0,'receipt','ext-lost',NULL,'',1800000001.0);
INSERT INTO "attempts" VALUES('attempt_video_0000000000000000000000000000000c_1','video_0000000000000000000000000000000c',1,'lab',1800000001.0,'receipt','ext-cancelled',NULL,'',1800000001.0);
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    job_id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    job_seq INTEGER NOT NULL, 
    step TEXT NOT NULL, 
    payload TEXT NOT NULL, 
    at FLOAT NOT NULL, 
    final BOOLEAN NOT NULL
);
INSERT INTO "events" VALUES(1,'video_00000000000000000000000000000001','user_ada',1,'accepted','{"videoId":"video_00000000000000000000000000000001","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.000Z","variants":[]}',1800000000.0,0);
INSERT INTO "events" VALUES(2,'video_00000000000000000000000000000002','user_ben',1,'accepted','{"videoId":"video_00000000000000000000000000000002","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.100Z","variants":[]}',1800000000.1,0);
INSERT INTO "events" VALUES(3,'video_00000000000000000000000000000002','user_ben',2,'submitting','{"videoId":"video_00000000000000000000000000000002","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(4,'video_00000000000000000000000000000003','user_ada',1,'accepted','{"videoId":"video_00000000000000000000000000000003","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.200Z","variants":[]}',1800000000.2,0);
INSERT INTO "events" VALUES(5,'video_00000000000000000000000000000003','user_ada',2,'submitting','{"videoId":"video_00000000000000000000000000000003","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(6,'video_00000000000000000000000000000003','user_ada',3,'submitted','{"videoId":"video_00000000000000000000000000000003","externalVideoId":"ext-processing","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(7,'video_00000000000000000000000000000003','user_ada',4,'progress','{"videoId":"video_00000000000000000000000000000003","externalVideoId":"ext-processing","status":"processing","stage":"processing","progress":40.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"progress","message":"40 % done.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:05.000Z","variants":[]}',1800000005.0,0);
INSERT INTO "events" VALUES(8,'video_00000000000000000000000000000004','user_ben',1,'accepted','{"videoId":"video_00000000000000000000000000000004","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.300Z","variants":[]}',1800000000.3,0);
INSERT INTO "events" VALUES(9,'video_00000000000000000000000000000004','user_ben',2,'submitting','{"videoId":"video_00000000000000000000000000000004","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(10,'video_00000000000000000000000000000004','user_ben',3,'submitted','{"videoId":"video_00000000000000000000000000000004","externalVideoId":"ext-storing","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(11,'video_00000000000000000000000000000004','user_ben',4,'progress','{"videoId":"video_00000000000000000000000000000004","externalVideoId":"ext-storing","status":"processing","stage":"processing","progress":70.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"progress","message":"70 % done.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:05.000Z","variants":[]}',1800000005.0,0);
INSERT INTO "events" VALUES(12,'video_00000000000000000000000000000004','user_ben',5,'downloading','{"videoId":"video_00000000000000000000000000000004","externalVideoId":"ext-storing","status":"processing","stage":"storing","progress":99.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"downloading","message":"Finished upstream; downloading the file.","error":null,"seq":5,"timestamp":"2027-01-15T08:00:09.000Z","variants":[]}',1800000009.0,0);
INSERT INTO "events" VALUES(13,'video_00000000000000000000000000000005','user_ada',1,'accepted','{"videoId":"video_00000000000000000000000000000005","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.400Z","variants":[]}',1800000000.4,0);
INSERT INTO "events" VALUES(14,'video_00000000000000000000000000000005','user_ada',2,'submitting','{"videoId":"video_00000000000000000000000000000005","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(15,'video_00000000000000000000000000000005','user_ada',3,'unknown','{"videoId":"video_00000000000000000000000000000005","externalVideoId":null,"status":"processing","stage":"unknown","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"unknown","message":"It is not known whether lab accepted it (the connection broke after sending); an administrator can decide.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:02.000Z","variants":[]}',1800000002.0,0);
INSERT INTO "events" VALUES(16,'video_00000000000000000000000000000006','user_ben',1,'accepted','{"videoId":"video_00000000000000000000000000000006","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.500Z","variants":[]}',1800000000.5,0);
INSERT INTO "events" VALUES(17,'video_00000000000000000000000000000006','user_ben',2,'submitting','{"videoId":"video_00000000000000000000000000000006","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(18,'video_00000000000000000000000000000006','user_ben',3,'submitted','{"videoId":"video_00000000000000000000000000000006","externalVideoId":"ext-cancelling","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(19,'video_00000000000000000000000000000006','user_ben',4,'cancelling','{"videoId":"video_00000000000000000000000000000006","externalVideoId":"ext-cancelling","status":"processing","stage":"cancelling","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":true,"step":"cancelling","message":"Cancelling.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:03.000Z","variants":[]}',1800000003.0,0);
INSERT INTO "events" VALUES(20,'video_00000000000000000000000000000007','user_ada',1,'accepted','{"videoId":"video_00000000000000000000000000000007","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.600Z","variants":[]}',1800000000.6,0);
INSERT INTO "events" VALUES(21,'video_00000000000000000000000000000007','user_ada',2,'submitting','{"videoId":"video_00000000000000000000000000000007","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(22,'video_00000000000000000000000000000007','user_ada',3,'submitted','{"videoId":"video_00000000000000000000000000000007","externalVideoId":"ext-completed","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(23,'video_00000000000000000000000000000007','user_ada',4,'progress','{"videoId":"video_00000000000000000000000000000007","externalVideoId":"ext-completed","status":"processing","stage":"processing","progress":50.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"progress","message":"50 % done.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:30.000Z","variants":[]}',1800000030.0,0);
INSERT INTO "events" VALUES(24,'video_00000000000000000000000000000007','user_ada',5,'downloading','{"videoId":"video_00000000000000000000000000000007","externalVideoId":"ext-completed","status":"processing","stage":"storing","progress":99.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"downloading","message":"Finished upstream; downloading the file.","error":null,"seq":5,"timestamp":"2027-01-15T08:00:30.000Z","variants":[]}',1800000030.0,0);
INSERT INTO "events" VALUES(25,'video_00000000000000000000000000000007','user_ada',6,'done','{"videoId":"video_00000000000000000000000000000007","externalVideoId":"ext-completed","status":"completed","stage":"completed","progress":100.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"done","message":"The video is ready.","error":null,"seq":6,"timestamp":"2027-01-15T08:00:30.000Z","variants":["spritesheet","thumbnail","video"]}',1800000030.0,1);
INSERT INTO "events" VALUES(26,'video_00000000000000000000000000000008','user_ben',1,'accepted','{"videoId":"video_00000000000000000000000000000008","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.700Z","variants":[]}',1800000000.7,0);
INSERT INTO "events" VALUES(27,'video_00000000000000000000000000000008','user_ben',2,'submitting','{"videoId":"video_00000000000000000000000000000008","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(28,'video_00000000000000000000000000000008','user_ben',3,'submitted','{"videoId":"video_00000000000000000000000000000008","externalVideoId":"ext-deleted","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(29,'video_00000000000000000000000000000008','user_ben',4,'progress','{"videoId":"video_00000000000000000000000000000008","externalVideoId":"ext-deleted","status":"processing","stage":"processing","progress":50.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"progress","message":"50 % done.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:30.000Z","variants":[]}',1800000030.0,0);
INSERT INTO "events" VALUES(30,'video_00000000000000000000000000000008','user_ben',5,'downloading','{"videoId":"video_00000000000000000000000000000008","externalVideoId":"ext-deleted","status":"processing","stage":"storing","progress":99.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"downloading","message":"Finished upstream; downloading the file.","error":null,"seq":5,"timestamp":"2027-01-15T08:00:30.000Z","variants":[]}',1800000030.0,0);
INSERT INTO "events" VALUES(31,'video_00000000000000000000000000000008','user_ben',6,'done','{"videoId":"video_00000000000000000000000000000008","externalVideoId":"ext-deleted","status":"completed","stage":"completed","progress":100.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"done","message":"The video is ready.","error":null,"seq":6,"timestamp":"2027-01-15T08:00:30.000Z","variants":["spritesheet","thumbnail","video"]}',1800000030.0,1);
INSERT INTO "events" VALUES(32,'video_00000000000000000000000000000008','user_ben',7,'deleted','{"videoId":"video_00000000000000000000000000000008","externalVideoId":"ext-deleted","status":"completed","stage":"completed","progress":100.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"deleted","message":"Deleted.","error":null,"seq":7,"timestamp":"2027-01-15T08:01:39.000Z","variants":[]}',1800000099.0,1);
INSERT INTO "events" VALUES(33,'video_00000000000000000000000000000009','user_ada',1,'accepted','{"videoId":"video_00000000000000000000000000000009","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.800Z","variants":[]}',1800000000.8,0);
INSERT INTO "events" VALUES(34,'video_00000000000000000000000000000009','user_ada',2,'submitting','{"videoId":"video_00000000000000000000000000000009","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(35,'video_00000000000000000000000000000009','user_ada',3,'failed','{"videoId":"video_00000000000000000000000000000009","externalVideoId":null,"status":"failed","stage":"failed","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"failed","message":"The upstream refuses this prompt.","error":{"code":"moderation_blocked","message":"The upstream refuses this prompt."},"seq":3,"timestamp":"2027-01-15T08:00:02.000Z","variants":[]}',1800000002.0,1);
INSERT INTO "events" VALUES(36,'video_0000000000000000000000000000000a','user_ben',1,'accepted','{"videoId":"video_0000000000000000000000000000000a","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:00.900Z","variants":[]}',1800000000.9,0);
INSERT INTO "events" VALUES(37,'video_0000000000000000000000000000000a','user_ben',2,'submitting','{"videoId":"video_0000000000000000000000000000000a","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(38,'video_0000000000000000000000000000000a','user_ben',3,'submitted','{"videoId":"video_0000000000000000000000000000000a","externalVideoId":"ext-lost","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(39,'video_0000000000000000000000000000000a','user_ben',4,'downloading','{"videoId":"video_0000000000000000000000000000000a","externalVideoId":"ext-lost","status":"processing","stage":"storing","progress":99.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"downloading","message":"Finished upstream; downloading the file.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:09.000Z","variants":[]}',1800000009.0,0);
INSERT INTO "events" VALUES(40,'video_0000000000000000000000000000000a','user_ben',5,'failed','{"videoId":"video_0000000000000000000000000000000a","externalVideoId":"ext-lost","status":"failed","stage":"failed","progress":99.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"failed","message":"The file is gone.","error":{"code":"file_lost","message":"The file is gone."},"seq":5,"timestamp":"2027-01-15T08:00:20.000Z","variants":[]}',1800000020.0,1);
INSERT INTO "events" VALUES(41,'video_0000000000000000000000000000000b','user_ada',1,'accepted','{"videoId":"video_0000000000000000000000000000000b","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(42,'video_0000000000000000000000000000000b','user_ada',2,'cancelled','{"videoId":"video_0000000000000000000000000000000b","externalVideoId":null,"status":"cancelled","stage":"cancelled","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"cancelled","message":"Cancelled.","error":{"code":"cancelled","message":"The video was cancelled."},"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,1);
INSERT INTO "events" VALUES(43,'video_0000000000000000000000000000000c','user_ben',1,'accepted','{"videoId":"video_0000000000000000000000000000000c","externalVideoId":null,"status":"queued","stage":"queued","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"accepted","message":"Accepted; waiting for a free place.","error":null,"seq":1,"timestamp":"2027-01-15T08:00:01.100Z","variants":[]}',1800000001.1,0);
INSERT INTO "events" VALUES(44,'video_0000000000000000000000000000000c','user_ben',2,'submitting','{"videoId":"video_0000000000000000000000000000000c","externalVideoId":null,"status":"processing","stage":"submitting","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitting","message":"Sending it to lab.","error":null,"seq":2,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(45,'video_0000000000000000000000000000000c','user_ben',3,'submitted','{"videoId":"video_0000000000000000000000000000000c","externalVideoId":"ext-cancelled","status":"processing","stage":"processing","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"submitted","message":"lab has it.","error":null,"seq":3,"timestamp":"2027-01-15T08:00:01.000Z","variants":[]}',1800000001.0,0);
INSERT INTO "events" VALUES(46,'video_0000000000000000000000000000000c','user_ben',4,'cancelling','{"videoId":"video_0000000000000000000000000000000c","externalVideoId":"ext-cancelled","status":"processing","stage":"cancelling","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":true,"step":"cancelling","message":"Cancelling.","error":null,"seq":4,"timestamp":"2027-01-15T08:00:03.000Z","variants":[]}',1800000003.0,0);
INSERT INTO "events" VALUES(47,'video_0000000000000000000000000000000c','user_ben',5,'cancelled','{"videoId":"video_0000000000000000000000000000000c","externalVideoId":"ext-cancelled","status":"cancelled","stage":"cancelled","progress":0.0,"progressEstimated":false,"overdue":false,"cancelRequested":false,"step":"cancelled","message":"Cancelled.","error":{"code":"cancelled","message":"The video was cancelled."},"seq":5,"timestamp":"2027-01-15T08:00:04.000Z","variants":[]}',1800000004.0,1);
CREATE TABLE jobs (
    id TEXT NOT NULL, 
    owner TEXT NOT NULL, 
    prompt TEXT NOT NULL, 
    model TEXT NOT NULL, 
    upstream TEXT NOT NULL, 
    upstream_model TEXT NOT NULL, 
    seconds INTEGER NOT NULL, 
    size TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    state TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    attempt INTEGER NOT NULL, 
    refusals INTEGER NOT NULL, 
    not_before FLOAT NOT NULL, 
    queued_again_at FLOAT, 
    external_id TEXT, 
    progress FLOAT NOT NULL, 
    progress_estimated BOOLEAN NOT NULL, 
    upstream_status TEXT NOT NULL, 
    overdue BOOLEAN NOT NULL, 
    cancel_requested BOOLEAN NOT NULL, 
    submitted_at FLOAT, 
    accepted_at FLOAT, 
    finished_at FLOAT, 
    expires_at FLOAT, 
    note TEXT NOT NULL, 
    error_code TEXT, 
    error_message TEXT, 
    credits INTEGER NOT NULL, 
    retry_of TEXT, 
    deleted_at FLOAT, 
    CONSTRAINT pk_jobs PRIMARY KEY (id), 
    CONSTRAINT ck_jobs_ended_has_a_time CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)), 
    CONSTRAINT ck_jobs_progress CHECK (progress >= 0 AND progress <= 100 AND (progress < 100 OR state = 'completed')), 
    CONSTRAINT ck_jobs_failed_has_a_reason CHECK (state <> 'failed' OR error_code IS NOT NULL), 
    CONSTRAINT ck_jobs_state CHECK (state IN ('queued', 'submitting', 'processing', 'storing', 'unknown', 'cancelling', 'completed', 'failed', 'cancelled')), 
    CONSTRAINT ck_jobs_accepted_has_external_id CHECK (state NOT IN ('processing', 'storing', 'cancelling', 'completed') OR external_id IS NOT NULL), 
    CONSTRAINT ck_jobs_intent_before_create CHECK (state NOT IN ('submitting', 'processing', 'storing', 'unknown', 'cancelling', 'completed') OR attempt > 0), 
    CONSTRAINT fk_jobs_owner FOREIGN KEY(owner) REFERENCES users (id)
);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000001','user_ada','queued','sora-2','lab','wan-2.2',8,'1280x720',1800000000.0,'queued',1,0,0,0.0,NULL,NULL,0.0,0,'',0,0,NULL,NULL,NULL,NULL,'',NULL,NULL,10,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000002','user_ben','submitting','sora-2','lab','wan-2.2',8,'1280x720',1800000000.1,'submitting',2,1,0,0.0,NULL,NULL,0.0,0,'',0,0,1800000001.0,NULL,NULL,NULL,'',NULL,NULL,11,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000003','user_ada','processing','sora-2','lab','wan-2.2',8,'1280x720',1800000000.2,'processing',4,1,0,0.0,NULL,'ext-processing',40.0,0,'',0,0,1800000001.0,1800000001.0,NULL,NULL,'',NULL,NULL,12,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000004','user_ben','storing','sora-2','lab','wan-2.2',8,'1280x720',1800000000.3,'storing',5,1,0,0.0,NULL,'ext-storing',99.0,0,'',0,0,1800000001.0,1800000001.0,NULL,NULL,'',NULL,NULL,13,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000005','user_ada','unknown','sora-2','lab','wan-2.2',8,'1280x720',1800000000.4,'unknown',3,1,0,0.0,NULL,NULL,0.0,0,'',0,0,1800000001.0,NULL,NULL,NULL,'the connection broke after sending',NULL,NULL,14,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000006','user_ben','cancelling','sora-2','lab','wan-2.2',8,'1280x720',1800000000.5,'cancelling',4,1,0,0.0,NULL,'ext-cancelling',0.0,0,'',0,1,1800000001.0,1800000001.0,NULL,NULL,'',NULL,NULL,15,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000007','user_ada','completed','sora-2','lab','wan-2.2',8,'1280x720',1800000000.6,'completed',6,1,0,0.0,NULL,'ext-completed',100.0,0,'',0,0,1800000001.0,1800000001.0,1800000030.0,NULL,'',NULL,NULL,16,NULL,NULL);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000008','user_ben','completed, then deleted','sora-2','lab','wan-2.2',8,'1280x720',1800000000.7,'completed',7,1,0,0.0,NULL,'ext-deleted',100.0,0,'',0,0,1800000001.0,1800000001.0,1800000030.0,NULL,'',NULL,NULL,17,NULL,1800000099.0);
INSERT INTO "jobs" VALUES('video_00000000000000000000000000000009','user_ada','failed','sora-2','lab','wan-2.2',8,'1280x720',1800000000.8,'failed',3,1,0,0.0,NULL,NULL,0.0,0,'',0,0,1800000001.0,NULL,1800000002.0,NULL,'','moderation_blocked','The upstream refuses this prompt.',18,NULL,NULL);
INSERT INTO "jobs" VALUES('video_0000000000000000000000000000000a','user_ben','failed, its file lost','sora-2','lab','wan-2.2',8,'1280x720',1800000000.9,'failed',5,1,0,0.0,NULL,'ext-lost',99.0,0,'',0,0,1800000001.0,1800000001.0,1800000020.0,NULL,'','file_lost','The file is gone.',19,NULL,NULL);
INSERT INTO "jobs" VALUES('video_0000000000000000000000000000000b','user_ada','cancelled','sora-2','lab','wan-2.2',8,'1280x720',1800000001.0,'cancelled',2,0,0,0.0,NULL,NULL,0.0,0,'',0,0,NULL,NULL,1800000001.0,NULL,'',NULL,NULL,20,NULL,NULL);
INSERT INTO "jobs" VALUES('video_0000000000000000000000000000000c','user_ben','cancelled at the upstream','sora-2','lab','wan-2.2',8,'1280x720',1800000001.1,'cancelled',5,1,0,0.0,NULL,'ext-cancelled',0.0,0,'',0,0,1800000001.0,1800000001.0,1800000004.0,NULL,'',NULL,NULL,21,NULL,NULL);
CREATE TABLE ledger (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    user_id TEXT NOT NULL, 
    job_id TEXT, 
    kind TEXT NOT NULL, 
    available INTEGER NOT NULL, 
    held INTEGER NOT NULL, 
    note TEXT NOT NULL, 
    at FLOAT NOT NULL, 
    CONSTRAINT ck_ledger_kind CHECK (kind IN ('grant', 'hold', 'settle', 'release', 'adjust', 'redeem')), 
    CONSTRAINT fk_ledger_job_id FOREIGN KEY(job_id) REFERENCES jobs (id), 
    CONSTRAINT fk_ledger_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "ledger" VALUES(1,'user_ada',NULL,'grant',1000,0,'starting balance',1800000000.0);
INSERT INTO "ledger" VALUES(2,'user_ben',NULL,'grant',1000,0,'starting balance',1800000000.0);
INSERT INTO "ledger" VALUES(3,'user_vera',NULL,'grant',1000,0,'starting balance',1800000000.0);
INSERT INTO "ledger" VALUES(4,'user_root',NULL,'grant',1000,0,'starting balance',1800000000.0);
INSERT INTO "ledger" VALUES(5,'user_ada','video_00000000000000000000000000000001','hold',-10,10,'',1800000000.0);
INSERT INTO "ledger" VALUES(6,'user_ben','video_00000000000000000000000000000002','hold',-11,11,'',1800000000.1);
INSERT INTO "ledger" VALUES(7,'user_ada','video_00000000000000000000000000000003','hold',-12,12,'',1800000000.2);
INSERT INTO "ledger" VALUES(8,'user_ben','video_00000000000000000000000000000004','hold',-13,13,'',1800000000.3);
INSERT INTO "ledger" VALUES(9,'user_ada','video_00000000000000000000000000000005','hold',-14,14,'',1800000000.4);
INSERT INTO "ledger" VALUES(10,'user_ben','video_00000000000000000000000000000006','hold',-15,15,'',1800000000.5);
INSERT INTO "ledger" VALUES(11,'user_ada','video_00000000000000000000000000000007','hold',-16,16,'',1800000000.6);
INSERT INTO "ledger" VALUES(12,'user_ada','video_00000000000000000000000000000007','settle',0,-16,'',1800000030.0);
INSERT INTO "ledger" VALUES(13,'user_ben','video_00000000000000000000000000000008','hold',-17,17,'',1800000000.7);
INSERT INTO "ledger" VALUES(14,'user_ben','video_00000000000000000000000000000008','settle',0,-17,'',1800000030.0);
INSERT INTO "ledger" VALUES(15,'user_ada','video_00000000000000000000000000000009','hold',-18,18,'',1800000000.8);
INSERT INTO "ledger" VALUES(16,'user_ada','video_00000000000000000000000000000009','release',18,-18,'',1800000002.0);
INSERT INTO "ledger" VALUES(17,'user_ben','video_0000000000000000000000000000000a','hold',-19,19,'',1800000000.9);
INSERT INTO "ledger" VALUES(18,'user_ada','video_0000000000000000000000000000000b','hold',-20,20,'',1800000001.0);
INSERT INTO "ledger" VALUES(19,'user_ada','video_0000000000000000000000000000000b','release',20,-20,'',1800000001.0);
INSERT INTO "ledger" VALUES(20,'user_ben','video_0000000000000000000000000000000c','hold',-21,21,'',1800000001.1);
INSERT INTO "ledger" VALUES(21,'user_ben','video_0000000000000000000000000000000c','release',21,-21,'',1800000004.0);
CREATE TABLE login_links (
    token_hash TEXT NOT NULL, 
    user_id TEXT, 
    expires_at FLOAT NOT NULL, 
    CONSTRAINT pk_login_links PRIMARY KEY (token_hash), 
    CONSTRAINT fk_login_links_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE meta (
    "key" TEXT NOT NULL, 
    value TEXT NOT NULL, 
    CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('epoch','0123456789abcdef');
CREATE TABLE sessions (
    token_hash TEXT NOT NULL, 
    user_id TEXT NOT NULL, 
    created_at FLOAT NOT NULL, 
    expires_at FLOAT NOT NULL, 
    CONSTRAINT pk_sessions PRIMARY KEY (token_hash), 
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE users (
    id TEXT NOT NULL, 
    email TEXT NOT NULL, 
    role TEXT NOT NULL, 
    password_hash TEXT, 
    available INTEGER NOT NULL, 
    held INTEGER NOT NULL, 
    created_at FLOAT NOT NULL, 
    disabled_at FLOAT, 
    CONSTRAINT pk_users PRIMARY KEY (id), 
    CONSTRAINT ck_users_role CHECK (role IN ('admin', 'member', 'viewer')), 
    CONSTRAINT ck_users_balance CHECK (available >= 0 AND held >= 0), 
    CONSTRAINT uq_users_email UNIQUE (email)
);
INSERT INTO "users" VALUES('user_ada','ada@example.test','member',NULL,948,36,1800000000.0,NULL);
INSERT INTO "users" VALUES('user_ben','ben@example.test','member',NULL,925,58,1800000000.0,NULL);
INSERT INTO "users" VALUES('user_vera','vera@example.test','viewer',NULL,1000,0,1800000000.0,NULL);
INSERT INTO "users" VALUES('user_root','root@example.test','admin',NULL,1000,0,1800000000.0,NULL);
CREATE INDEX ix_events_job_id_seq ON events (job_id, seq);
CREATE INDEX ix_events_owner_seq ON events (owner, seq);
CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);
CREATE INDEX ix_jobs_owner_created_at ON jobs (owner, created_at, id);
CREATE INDEX ix_jobs_unfinished ON jobs (created_at) WHERE state NOT IN ('completed', 'failed', 'cancelled');
CREATE UNIQUE INDEX uq_jobs_upstream_external_id ON jobs (upstream, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_attempts_job_id ON attempts (job_id);
CREATE INDEX ix_attempts_upstream_external_id ON attempts (upstream, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX ix_ledger_user_id_id ON ledger (user_id, id);
CREATE UNIQUE INDEX uq_ledger_job_id_end ON ledger (job_id) WHERE kind IN ('settle', 'release');
CREATE UNIQUE INDEX uq_ledger_job_id_hold ON ledger (job_id) WHERE kind = 'hold';
CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TRIGGER ledger_refuses_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('ledger',21);
INSERT INTO "sqlite_sequence" VALUES('events',47);
COMMIT;
