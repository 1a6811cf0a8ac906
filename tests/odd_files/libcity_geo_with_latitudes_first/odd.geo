geo_id,type,coordinates
a,Point,"[34.1,-118.3]"
b,Point,"[34.1,-118.2]"
